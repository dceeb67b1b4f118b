import asyncio
import stat
from pathlib import Path

from knarr.buildkit import grpc
from knarr.buildkit.agents import Agents
from knarr.buildkit.messages import Bytes, CheckAgent, Empty
from knarr.buildkit.sessions import Session
from support.h2 import serving

CHECK = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD = "/moby.sshforward.v1.SSH/ForwardAgent"


async def test_a_clients_agent_is_reached_through_a_socket_and_goes_with_the_build(
    tmp_path: Path,
) -> None:
    async def check(asked: CheckAgent, _: grpc.Call) -> Empty:
        if asked.id != "default":
            raise grpc.Status(grpc.UNKNOWN, f"unset ssh forward key {asked.id}")
        return Empty()

    async def forward(call: grpc.Call) -> None:
        assert call.metadata["buildkit.ssh.id"] == "default"
        while (message := await call.receive(Bytes)) is not None:
            await call.send(Bytes(data=b"signed " + message.data))

    methods = {CHECK: grpc.unary(CheckAgent, check), FORWARD: forward}
    async with serving(methods) as client:
        agents = Agents(Session(client, frozenset(methods)), tmp_path)
        assert await agents.socket("other") is None
        path = await agents.socket("default")
        assert path is not None
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"this")
        assert await asyncio.wait_for(reader.readexactly(11), 30) == b"signed this"
        await agents.close()
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        assert list(tmp_path.iterdir()) == []


async def test_a_client_without_agents_has_none(tmp_path: Path) -> None:
    async with serving({}) as client:
        agents = Agents(Session(client, frozenset()), tmp_path)
        assert await agents.socket("default") is None
        await agents.close()
