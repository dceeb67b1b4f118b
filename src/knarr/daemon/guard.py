"""Plain TCP on loopback: web pages in a browser of this machine reach it too, and are refused."""

import ipaddress

from knarr.errors import HTTP_STATUS, Forbidden
from knarr.http.message import Answer, Application, Request, Response
from knarr.spec import encode


def from_programs_only(application: Application) -> Application:
    """The application, without requests that a browser made for some page.

    A browser names the page's origin; a page whose name was made to point at loopback (DNS
    rebinding) still asks for that name.
    """

    async def guarded(request: Request) -> Answer:
        if "origin" in request.headers or not _is_loopback(request.headers.get("host", "")):
            message = "this address is for programs of this machine, not for web pages"
            return Response(
                status=HTTP_STATUS[Forbidden],
                headers={"Content-Type": "application/json"},
                body=encode({"message": message}),
            )
        return await application(request)

    return guarded


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.removeprefix("[").removesuffix("]")
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
