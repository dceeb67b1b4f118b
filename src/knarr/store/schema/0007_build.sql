-- The build cache. A record is what one operation made; keys lead to it, by the operation's
-- definition and by the content of what it worked on. The layers it stands for are held by
-- 'build/<id>' in layer_holds, lowest first.
CREATE TABLE build_records (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,           -- of the operation: copy, run, mkdir, ...
    description TEXT NOT NULL,
    diff_id     TEXT,                    -- the layer it added; null where it added none
    size_bytes  INTEGER NOT NULL,        -- of the files in that layer
    time_ns     INTEGER NOT NULL,        -- what the result says of itself: the newest of its inputs
    made_ns     INTEGER NOT NULL,        -- when it was made here
    used_ns     INTEGER NOT NULL,
    uses        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX build_records_by_use ON build_records (used_ns);

CREATE TABLE build_keys (
    key    TEXT PRIMARY KEY,
    record TEXT NOT NULL REFERENCES build_records ON DELETE CASCADE,
    marks  TEXT NOT NULL DEFAULT '[]'    -- JSON: how the chain grew, operation by operation
) STRICT, WITHOUT ROWID;
CREATE INDEX build_keys_by_record ON build_keys (record);

-- Directories of RUN --mount=type=cache: build/mounts/<id>/<number>.
CREATE TABLE build_mounts (
    id         TEXT NOT NULL,            -- digest of the mount's id and what it began with
    number     INTEGER NOT NULL,         -- more than one where sharing is private
    name       TEXT NOT NULL,            -- as the Dockerfile has it
    size_bytes INTEGER NOT NULL DEFAULT 0,
    made_ns    INTEGER NOT NULL,
    used_ns    INTEGER NOT NULL,
    uses       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, number)
) STRICT, WITHOUT ROWID;

-- What each step of a project's last build was made from, so that a miss can be explained.
CREATE TABLE build_steps (
    project  TEXT NOT NULL,              -- the first tag, or where the context came from
    stage    TEXT NOT NULL,
    ordinal  INTEGER NOT NULL,           -- in the stage
    text     TEXT NOT NULL,              -- the instruction as written
    inputs   BLOB NOT NULL,              -- deflated JSON: each input's name and digest
    built_ns INTEGER NOT NULL,
    PRIMARY KEY (project, stage, ordinal)
) STRICT, WITHOUT ROWID;
