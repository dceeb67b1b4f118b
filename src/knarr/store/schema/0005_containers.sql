-- Containers: the documents as the client gave them, completed once at creation, and the state.
CREATE TABLE containers (
    id         TEXT PRIMARY KEY,            -- 64 hex digits
    name       TEXT NOT NULL UNIQUE,        -- without the leading slash
    image      TEXT NOT NULL,               -- digest of the image's config
    created_ns INTEGER NOT NULL,
    status     TEXT NOT NULL,               -- created, running, paused, restarting, exited, dead
    document   TEXT NOT NULL,               -- JSON: what does not change but by update and rename
    state      TEXT NOT NULL                -- JSON: what changes with every run
) STRICT;
CREATE INDEX containers_by_image ON containers (image);
