"""Small servers and clients for tests about networks."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable


async def eventually(holds: Callable[[], bool]) -> None:
    """Until it holds; what a service does behind its answer takes a moment."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


def until(holds: Callable[[], bool], *, seconds: float) -> None:
    """The same for what is not in this process's loop. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.1)


def greeting(client: socket.socket) -> bytes:
    """What the server says first."""
    with client:
        return client.recv(100)


def greet(server: socket.socket, times: int = 1) -> list[str]:
    """Say hello to whoever connects; returns a list that fills with their addresses."""
    peers: list[str] = []

    def serve() -> None:
        for _ in range(times):
            client, peer = server.accept()
            peers.append(peer[0])
            with client:
                client.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    return peers


def answers_udp(server: socket.socket, client: socket.socket, address: str, port: int) -> bool:
    """Whether a datagram gets there and its answer back from where it was sent to."""
    server.settimeout(0.15)
    client.settimeout(0.15)
    return any(_one_round(server, client, address, port) for _ in range(3))


def _one_round(server: socket.socket, client: socket.socket, address: str, port: int) -> bool:
    try:
        client.sendto(b"ping", (address, port))
        question, peer = server.recvfrom(100)
        server.sendto(question.upper(), peer)
        answer, source = client.recvfrom(100)
    except OSError:
        return False
    return answer == b"PING" and source[:2] == (address, port)
