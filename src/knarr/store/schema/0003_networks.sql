-- Networks: what was asked for and what was decided. The predefined ones are rows too.
CREATE TABLE networks (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    driver     TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    document   TEXT NOT NULL  -- JSON, as the Engine API shows a network
) STRICT;

-- Where running containers are plugged in. A row is written after all is in place and goes when
-- the container stops, so that a link, an address or an element without a row is a leftover.
CREATE TABLE endpoints (
    id             TEXT PRIMARY KEY,
    network        TEXT NOT NULL REFERENCES networks (id),
    container      TEXT NOT NULL,
    container_name TEXT NOT NULL,
    link           TEXT NOT NULL,  -- the host's end; empty where there is none
    interface      TEXT NOT NULL,  -- the container's end
    settings       TEXT NOT NULL   -- JSON, EndpointSettings as inspect shows them
) STRICT;
CREATE INDEX endpoints_by_container ON endpoints (container);
CREATE INDEX endpoints_by_network ON endpoints (network);

-- The containers that are plugged in, as far as names go.
CREATE TABLE network_members (
    container  TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    hostname   TEXT NOT NULL,
    domainname TEXT NOT NULL,
    dns        TEXT NOT NULL  -- JSON list: the nameservers to ask instead of the host's
) STRICT;

-- Host ports that lead to running containers.
CREATE TABLE published_ports (
    container      TEXT NOT NULL,
    protocol       TEXT NOT NULL,
    host_ip        TEXT NOT NULL,
    host_port      INTEGER NOT NULL,
    target         TEXT NOT NULL,  -- the container's address
    container_port INTEGER NOT NULL,
    PRIMARY KEY (protocol, host_ip, host_port)
) STRICT, WITHOUT ROWID;
CREATE INDEX published_ports_by_container ON published_ports (container);
