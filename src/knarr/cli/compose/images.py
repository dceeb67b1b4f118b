"""Images of a project: fetched, with their progress among that of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knarr.cli.credentials import header_for
from knarr.client.calls import images
from knarr.compose.actions import PullImage
from knarr.compose.report import Progress, State
from knarr.errors import KnarrError
from knarr.reference import Reference

if TYPE_CHECKING:
    from knarr.cli.compose.call import Call

_ENDED = ("Download complete", "Already exists", "Pull complete")


def pull(call: Call, action: PullImage, *, quiet: bool = False) -> None:
    """Fetch one image. Raises KnarrError in the registry's or the engine's words."""
    reference = Reference.parse(action.image).tagged()
    request = images.pull(
        reference.name,
        tag=str(reference.digest or reference.tag),
        platform=action.platform,
        auth=header_for(call.cli, reference.domain),
    )
    for message in call.engines.lines(request):
        if (error := message.get("errorDetail") or message.get("error")) is not None:
            raise KnarrError(str(error.get("message") if isinstance(error, dict) else error))
        if not quiet and message.get("id") and "progressDetail" in message:
            call.report(_layer(action, message))


def _layer(action: PullImage, message: dict[str, Any]) -> Progress:
    status, detail = message.get("status", ""), message.get("progressDetail") or {}
    return Progress(
        subject=message["id"],
        text=status,
        state=State.DONE if status in _ENDED else State.WORKING,
        parent=action.subject,
        current=detail.get("current", 0),
        total=detail.get("total", 0),
    )
