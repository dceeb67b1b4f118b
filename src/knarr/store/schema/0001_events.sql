-- What happened, so that `events --since` can tell of it after a restart.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns    INTEGER NOT NULL,
    type       TEXT NOT NULL,
    action     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    attributes TEXT NOT NULL  -- JSON object of strings
) STRICT;
CREATE INDEX events_by_time ON events (time_ns);

-- Facts about the data root itself: its engine ID, and the like.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
