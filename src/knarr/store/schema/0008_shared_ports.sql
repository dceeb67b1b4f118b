-- Host ports that several containers of a group have together.
CREATE TABLE ports_by_container (
    container      TEXT NOT NULL,
    protocol       TEXT NOT NULL,
    host_ip        TEXT NOT NULL,
    host_port      INTEGER NOT NULL,
    target         TEXT NOT NULL,  -- the container's address
    container_port INTEGER NOT NULL,
    share          TEXT NOT NULL,  -- the group; empty for a port of one's own
    PRIMARY KEY (container, protocol, host_ip, host_port)
) STRICT, WITHOUT ROWID;
INSERT INTO ports_by_container
    SELECT container, protocol, host_ip, host_port, target, container_port, ''
    FROM published_ports;
DROP TABLE published_ports;
ALTER TABLE ports_by_container RENAME TO published_ports;
