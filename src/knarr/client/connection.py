"""Bytes to an engine and back, on asyncio's streams."""

from __future__ import annotations

import asyncio
import contextlib

RECEIVE = 256 * 1024  # bytes asked for at once


class Connection:
    """Bytes to an engine and back: a socket, or the standard streams of ssh."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        program: asyncio.subprocess.Process | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._program = program

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(RECEIVE)

    def close_write(self) -> None:
        """Nothing more is sent; reading goes on."""
        self._writer.write_eof()

    @property
    def idle(self) -> bool:
        """Whether it is open and nothing has come that nobody asked for."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        if self._program is not None:
            if self._program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._program.terminate()
            await self._program.wait()
