-- What the registry server serves. The bytes are blobs; 'registry' holds them in blob_holds as long
-- as any repository has them.

CREATE TABLE registry_repositories (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Which blobs may be read in a repository, and when they were last pushed to it or asked for by a
-- push: young ones wait for the manifest that is to name them.
CREATE TABLE registry_blobs (
    repository INTEGER NOT NULL REFERENCES registry_repositories ON DELETE CASCADE,
    digest     TEXT NOT NULL REFERENCES blobs,
    touched_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_blobs_by_digest ON registry_blobs (digest);

-- Manifests and indexes; each is a blob of its repository too.
CREATE TABLE registry_manifests (
    repository    INTEGER NOT NULL REFERENCES registry_repositories ON DELETE CASCADE,
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size_bytes    INTEGER NOT NULL,
    subject       TEXT,           -- digest of the manifest that it is about; which may not exist
    artifact_type TEXT NOT NULL,
    annotations   TEXT NOT NULL,  -- JSON object of strings, as a list of referrers shows them
    pushed_ns     INTEGER NOT NULL,
    PRIMARY KEY (repository, digest),
    FOREIGN KEY (repository, digest) REFERENCES registry_blobs
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_manifests_by_subject ON registry_manifests (repository, subject);

-- What a manifest names: its config and layers, an index's manifests.
CREATE TABLE registry_parts (
    repository INTEGER NOT NULL,
    manifest   TEXT NOT NULL,
    digest     TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, digest),
    FOREIGN KEY (repository, manifest) REFERENCES registry_manifests ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_parts_by_digest ON registry_parts (repository, digest);

CREATE TABLE registry_tags (
    repository INTEGER NOT NULL,
    tag        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    tagged_ns  INTEGER NOT NULL,  -- in a cache: when the origin last confirmed it
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, digest) REFERENCES registry_manifests ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_tags_by_digest ON registry_tags (repository, digest);
