"""Redis and PostgreSQL side by side, with aiodocker: started, waited for, asked, stopped.

Their images are built from Debian's packages, see the README one folder up:

    export DOCKER_HOST=unix:///run/knarr/knarr.sock
    pip install aiodocker && python databases.py
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiodocker
from aiodocker.containers import DockerContainer

PASSWORD = "only-for-a-test"


@asynccontextmanager
async def running(docker: aiodocker.Docker, **config: object) -> AsyncIterator[DockerContainer]:
    container = await docker.containers.run(config)
    try:
        yield container
        await container.stop()
        print(config["Image"], "ended with", (await container.show())["State"]["ExitCode"])
    finally:
        await container.delete(force=True, v=True)


async def said(container: DockerContainer, *words: str) -> str:
    """The output of a program in the container; empty where it failed."""
    run = await container.exec(list(words), environment={"PGPASSWORD": PASSWORD})
    output = b""
    async with run.start() as stream:
        while message := await stream.read_out():
            output += message.data
    return output.decode().strip() if (await run.inspect())["ExitCode"] == 0 else ""


async def said_at_last(container: DockerContainer, *words: str) -> str:
    async with asyncio.timeout(120):
        while True:
            if text := await said(container, *words):
                return text
            await asyncio.sleep(0.2)


async def main() -> None:
    async with (
        aiodocker.Docker() as docker,
        running(docker, Image="samples/redis") as redis,
        running(
            docker, Image="samples/postgres", Env=[f"POSTGRES_PASSWORD={PASSWORD}"]
        ) as postgres,
    ):
        await said_at_last(redis, "redis-cli", "ping")
        print("redis:", await said(redis, "redis-cli", "set", "ship", "knarr"))
        print("redis:", await said(redis, "redis-cli", "get", "ship"))
        psql = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-tAc")
        print("postgres:", await said_at_last(postgres, *psql, "SELECT 6 * 7"))


asyncio.run(main())
