-- Volumes; the data of one is in <data root>/volumes/<name>/_data.
CREATE TABLE volumes (
    name       TEXT PRIMARY KEY,
    driver     TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    labels     TEXT NOT NULL,               -- JSON object of strings
    options    TEXT NOT NULL                -- JSON object of strings, the driver's
) STRICT;

-- Which containers have a volume, running or not. No reference to containers: a container holds
-- its volumes before its own row is written; what a crash leaves is let go at the next start.
CREATE TABLE volume_users (
    volume    TEXT NOT NULL REFERENCES volumes (name) ON DELETE RESTRICT,
    container TEXT NOT NULL,                -- 64 hex digits
    mounts    INTEGER NOT NULL DEFAULT 0,   -- how often it is mounted in it now
    PRIMARY KEY (volume, container)
) STRICT, WITHOUT ROWID;
CREATE INDEX volume_users_by_container ON volume_users (container);
