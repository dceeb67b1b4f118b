"""``login``: whether a registry takes a user's word, and what to keep of it.

Source: Engine API, SystemAuth.
"""

import asyncio

from knarr.errors import Unauthorized
from knarr.reference import DEFAULT_DOMAIN
from knarr.registry.failures import Refused
from knarr.registry.registries import Logins, Registries
from knarr.registry.threads import called_off_when_cancelled
from knarr.spec.docker.auth import AuthConfig, hostname, server_of
from knarr.spec.docker.system import AuthResponse


async def login(registries: Registries, config: AuthConfig) -> AuthResponse:
    """Prove it to ``config.serveraddress``; to Docker Hub where that is empty.

    Raises Unauthorized in the registry's words, Unavailable when it does not answer.
    """
    server = server_of(hostname(config.serveraddress) or DEFAULT_DOMAIN)
    domain = DEFAULT_DOMAIN if server == server_of(DEFAULT_DOMAIN) else server
    logins = Logins(by_server={server: config})
    with called_off_when_cancelled() as cancellation:
        client = registries.host(domain, logins, cancellation)
        try:
            identity = await asyncio.to_thread(client.login)
        except Refused as error:
            if error.refusal.status in (401, 403):
                raise Unauthorized(str(error)) from error
            raise error.meaning() from error
    return AuthResponse(status="Login Succeeded", identity_token=identity)
