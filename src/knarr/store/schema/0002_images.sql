-- Bytes by digest, layers by diff ID, images by the digest of their config, and the names to them.
-- What is wanted is what somebody holds; the rest is swept.

-- Files under blobs/sha256.
CREATE TABLE blobs (
    digest     TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    synced     INTEGER NOT NULL DEFAULT 0  -- 1 once its bytes are known to be on the disk
) STRICT;

-- Folders under layers.
CREATE TABLE layers (
    diff_id       TEXT PRIMARY KEY,
    tar_bytes     INTEGER NOT NULL,  -- of the plain tar
    content_bytes INTEGER NOT NULL,  -- of the files in it: what Docker calls the layer's size
    entries       INTEGER NOT NULL,
    synced        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The compressed forms in which a layer came or went: a push sends them again as they are.
CREATE TABLE layer_blobs (
    diff_id    TEXT NOT NULL REFERENCES layers ON DELETE CASCADE,
    digest     TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    PRIMARY KEY (diff_id, digest)
) STRICT;

-- Who wants what: 'image/<id>', 'container/<id>', 'lease/<n>' of work under way, ...
-- The foreign keys see to it that nothing held is ever deleted.
CREATE TABLE blob_holds (
    holder TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES blobs,
    PRIMARY KEY (holder, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_holds_by_digest ON blob_holds (digest);

CREATE TABLE layer_holds (
    holder  TEXT NOT NULL,
    diff_id TEXT NOT NULL REFERENCES layers,
    place   INTEGER NOT NULL DEFAULT 0,  -- in the holder's chain, lowest first
    PRIMARY KEY (holder, diff_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX layer_holds_by_diff_id ON layer_holds (diff_id);

-- Holders that end by themselves: with the daemon (until_ns is null), or at a time.
CREATE TABLE leases (
    holder   TEXT PRIMARY KEY,
    until_ns INTEGER
) STRICT;

CREATE TABLE images (
    id         TEXT PRIMARY KEY,       -- the digest of the config
    config     BLOB NOT NULL,          -- byte for byte as it came
    created_ns INTEGER NOT NULL,       -- what the config says
    added_ns   INTEGER NOT NULL,       -- when it came here
    tagged_ns  INTEGER,                -- when it last got a name
    parent     TEXT REFERENCES images ON DELETE SET NULL,
    manifest   TEXT                    -- digest of the manifest it came with
) STRICT;
CREATE INDEX images_by_parent ON images (parent);

CREATE TABLE image_names (
    name  TEXT NOT NULL,               -- in full: docker.io/library/debian
    tag   TEXT NOT NULL,
    image TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
    PRIMARY KEY (name, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_names_by_image ON image_names (image);

-- Under which digest a registry knows the image: of a manifest, or of an index that leads to it.
CREATE TABLE image_digests (
    name   TEXT NOT NULL,
    digest TEXT NOT NULL,
    image  TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
    PRIMARY KEY (name, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_digests_by_image ON image_digests (image);
