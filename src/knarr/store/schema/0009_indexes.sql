-- Several platforms under one name: indexes as they came, and those of their images that are here.

-- The blobs of an index and of its manifests that are here are held by 'index/<digest>'. A repository
-- digest (image_digests) that is an index's leads to the same images.
CREATE TABLE image_indexes (
    digest     TEXT PRIMARY KEY,
    media_type TEXT NOT NULL
) STRICT;

CREATE TABLE image_variants (
    idx      TEXT NOT NULL REFERENCES image_indexes ON DELETE CASCADE,
    manifest TEXT NOT NULL,  -- by which digest the index names it
    image    TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
    PRIMARY KEY (idx, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_variants_by_image ON image_variants (image);

-- The index that a name stands for; its image is then the one for this machine's platform.
ALTER TABLE image_names ADD COLUMN idx TEXT REFERENCES image_indexes;
CREATE INDEX image_names_by_idx ON image_names (idx);
