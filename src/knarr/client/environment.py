"""The engine that the environment names, for programs that name none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from knarr.client.endpoint import KNARR_SOCKET, Endpoint, Tls, tls_of


def endpoint_of(
    host: str = "", *, tls: Tls | None = None, environ: Mapping[str, str] = os.environ
) -> Endpoint:
    """``host``, else KNARR_HOST, else DOCKER_HOST with its TLS variables, else knarr's own socket.

    Raises InvalidArgument for what is no endpoint.
    """
    named = host or environ.get("KNARR_HOST") or environ.get("DOCKER_HOST")
    if named:
        folder = environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        return Endpoint.parse(named, tls=tls or tls_of(environ, folder))
    run_root = environ.get("KNARR_RUN_ROOT")
    return Endpoint.parse(f"unix://{f'{run_root}/knarr.sock' if run_root else KNARR_SOCKET}")
