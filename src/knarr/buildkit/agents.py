"""SSH agents of a client: a socket here for each, whose connections lead there."""

import asyncio
import os
import shutil
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Final

from knarr.buildkit import grpc
from knarr.buildkit.messages import Bytes, CheckAgent, Empty
from knarr.buildkit.sessions import Session
from knarr.errors import KnarrError
from knarr.ids import new_hex

_CHECK: Final = "/moby.sshforward.v1.SSH/CheckAgent"
_FORWARD: Final = "/moby.sshforward.v1.SSH/ForwardAgent"
_PIECE: Final = 32 * 1024


class Agents:
    """Those of one build. ``close`` ends them."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._folder = folder / f"agents-{new_hex()[:12]}"
        self._servers: list[asyncio.Server] = []
        self._talking: set[asyncio.Task[None]] = set()

    async def socket(self, name: str) -> Path | None:
        """None where the client forwards no agent by that name."""
        if not self._session.has(_CHECK):
            return None
        try:
            await self._session.ask(_CHECK, CheckAgent(id=name), Empty)
        except grpc.Status:
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{len(self._servers)}.sock"

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._talking.add(task)
            try:
                await self._carry(name, reader, writer)
            finally:
                self._talking.discard(task)

        self._servers.append(await asyncio.start_unix_server(accepted, path))
        os.chmod(path, 0o600)
        return path

    async def _carry(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with self._session.call(_FORWARD, [("buildkit.ssh.id", name)]) as call:
                await _until_one_ends(_there(reader, call), _back(call, writer))
        except (KnarrError, ConnectionError):
            pass  # the program that asked sees its connection end
        finally:
            writer.close()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)


async def _until_one_ends(*ways: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(each) for each in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _there(reader: asyncio.StreamReader, call: grpc.Call) -> None:
    while data := await reader.read(_PIECE):
        await call.send(Bytes(data=data))
    with suppress(ConnectionError):
        await call.stream.end()


async def _back(call: grpc.Call, writer: asyncio.StreamWriter) -> None:
    while (message := await call.receive(Bytes)) is not None:
        writer.write(message.data)
        await writer.drain()
