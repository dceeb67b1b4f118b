"""Redis and PostgreSQL for the length of a block, as a test of yours would have them.

Their images are built from Debian's packages, see the README one folder up:

    export DOCKER_HOST=unix:///run/knarr/knarr.sock
    pip install testcontainers && python databases.py
"""

import os
import socket

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy, PortWaitStrategy

# The library would clean up by a container from Docker Hub (Ryuk); the block does it without.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

redis = (
    DockerContainer("samples/redis")
    .with_exposed_ports(6379)
    .waiting_for(LogMessageWaitStrategy("Ready to accept connections"))
)
postgres = (
    DockerContainer("samples/postgres")
    .with_env("POSTGRES_PASSWORD", "only-for-a-test")
    .with_exposed_ports(5432)
    .waiting_for(PortWaitStrategy(5432))
)


def asked(container: DockerContainer, *words: str) -> str:
    """The last word that redis-server answers to a command, over its published port."""
    address = (container.get_container_host_ip(), container.get_exposed_port(6379))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(4096).decode().split()[-1]


with redis, postgres:
    print("redis:", asked(redis, "SET", "ship", "knarr"), asked(redis, "GET", "ship"))
    query = "PGPASSWORD=only-for-a-test psql -h 127.0.0.1 -U postgres -tAc 'SELECT 6 * 7'"
    code, output = postgres.exec(["sh", "-c", query])
    print("postgres:", output.decode().strip())
