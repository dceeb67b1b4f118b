"""A web server for the length of a block, in a container. Needs an image `busybox`.

export DOCKER_HOST=unix:///run/knarr/knarr.sock
pip install testcontainers && python page.py
"""

import os
from urllib.request import urlopen

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

# The library would clean up by a container from Docker Hub (Ryuk); the block does it without.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

server = (
    DockerContainer("busybox")
    .with_command(["sh", "-c", "mkdir /www; echo ahoy >/www/index.html; exec httpd -f -h /www"])
    .with_exposed_ports(80)
    .waiting_for(HttpWaitStrategy(80))
)
with server:
    address = f"http://{server.get_container_host_ip()}:{server.get_exposed_port(80)}/"
    with urlopen(address) as page:
        print("the server says", page.read().decode().strip())
    code, output = server.exec(["cat", "/www/index.html"])
    print("its file says", output.decode().strip(), "and cat ended with", code)
