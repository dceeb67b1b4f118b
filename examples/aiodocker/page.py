"""A web server in a container, with aiodocker. Needs an image `busybox`.

export DOCKER_HOST=unix:///run/knarr/knarr.sock
pip install aiodocker && python page.py
"""

import asyncio
from urllib.request import urlopen

import aiodocker

SCRIPT = "mkdir /www; echo ahoy >/www/index.html; exec httpd -fv -h /www"


async def main() -> None:
    async with aiodocker.Docker() as docker:
        server = await docker.containers.run(
            {
                "Image": "busybox",
                "Cmd": ["sh", "-c", SCRIPT],
                "ExposedPorts": {"80/tcp": {}},
                "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1"}]}},
            }
        )
        try:
            (binding,) = await server.port(80)
            print("the server says", await page(f"http://127.0.0.1:{binding['HostPort']}/"))
            shell = await server.exec(["cat", "/www/index.html"])
            async with shell.start() as stream:
                message = await stream.read_out()
            print("its file says", message.data.decode().strip())
            await server.kill(signal="SIGKILL")
            print("it ended with", (await server.wait())["StatusCode"])
        finally:
            await server.delete(force=True)


async def page(address: str) -> str:
    """What the server answers, once it is there."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.to_thread(lambda: urlopen(address).read().decode().strip())
            except OSError:
                await asyncio.sleep(0.1)


asyncio.run(main())
