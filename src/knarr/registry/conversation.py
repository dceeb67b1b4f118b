"""Requests to one endpoint, as one person: authorised, followed where they lead, tried again.

Blocking, for worker threads; one conversation is shared by several of them. What goes wrong is
raised as Refused (the registry's own answer) or as a KnarrError of the transport.
"""

import copy
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote

from knarr.errors import InvalidArgument, KnarrError, Unauthorized, Unavailable
from knarr.registry.cancellation import Cancellation
from knarr.registry.challenge import parse_challenges, scope
from knarr.registry.failures import (
    Refusal,
    Refused,
    insufficient,
    may_pass,
    refusal_of,
    warning_of,
)
from knarr.registry.origin import checked_target, origin_of, same_origin, shown
from knarr.registry.retry import RetryPolicy, retry_after_s
from knarr.registry.table import Endpoint
from knarr.registry.tokens import Authorizer, Scopes, scrubbed, secrets_of
from knarr.registry.transport import Call, NotTls, Reply, Source, Transport, Trust, Unreachable
from knarr.spec.docker.auth import AuthConfig

_REDIRECTS: Final = 5
_ERROR_LIMIT: Final = 64 << 10  # bytes of a refusal that are read
_WARNINGS: Final = 10  # of one registry; more is noise
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failures are met: when to try again, and how the waiting is done."""

    policy: RetryPolicy
    cancellation: Cancellation
    chance: Callable[[], float] = random.random

    def wait(self, failures: int, error: KnarrError) -> None:
        """Sleep before the next attempt. Raises ``error`` when there is to be none."""
        if not may_pass(error):
            raise error
        asked_s = error.wait_s if isinstance(error, Refused) else None
        seconds = self.policy.wait_s(failures, self.chance(), asked_s)
        if seconds is None:
            raise error
        self.cancellation.sleep(seconds)


class Conversation:
    """With one endpoint about one repository."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        login: AuthConfig,
        patience: Patience,
        *,
        actions: tuple[str, ...] = ("pull",),
        schemes: dict[str, str] | None = None,
        offline: bool = False,
    ) -> None:
        """actions: the rights to ask for: ``pull``, ``push``, ``delete``.

        schemes: what insecure hosts were found to speak; shared by clients to ask each once.
        offline: a token to keep instead of the password is wanted, as on a login.
        """
        self.endpoint, self.patience = endpoint, patience
        self._transport, self._login = transport, login
        self._authorizer = Authorizer(transport, login, insecure=endpoint.insecure, offline=offline)
        self._schemes = {} if schemes is None else schemes
        self.warnings: dict[str, None] = {}  # what the registry wants people to read, each once
        self._scopes: Scopes = (
            (scope(endpoint.repository, *actions),) if endpoint.repository else ()
        )

    def under(self, cancellation: Cancellation) -> Self:
        """The same client for work that is called off by somebody else."""
        other = copy.copy(self)
        other.patience = replace(self.patience, cancellation=cancellation)
        return other

    def login(self) -> str:
        """Prove the login. The identity token to keep instead of the password, or nothing.

        Raises Unauthorized.
        """
        self.ask("GET", f"{self.base()}/v2/").discard()
        return self._authorizer.identity_token

    def url(self, place: str) -> str:
        """The URL of something in this repository: ``tags/list``, ``blobs/sha256:...``."""
        repository = quote(self.endpoint.repository)
        prefix = f"{self.base()}/v2/"
        return f"{prefix}{repository}/{place}" if repository else f"{prefix}{place}"

    def base(self) -> str:
        """Scheme and host. An insecure host is asked once whether it speaks TLS."""
        host = self.endpoint.host
        if not self.endpoint.insecure:
            return f"https://{host}"
        return f"{self._schemes.get(host) or self._spoken_scheme(host)}://{host}"

    def _spoken_scheme(self, host: str) -> str:
        ping = Call(method="GET", url=f"https://{host}/v2/")
        try:
            self._transport.send(ping, self._trust(ping.url)).close()
        except NotTls:
            self._schemes[host] = "http"
        except Unavailable:
            return "http"  # it may be back with either: the next request asks again
        else:
            self._schemes[host] = "https"
        return self._schemes[host]

    def ask(
        self,
        method: str,
        place: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Source] | None = None,
        scopes: Scopes | None = None,
        again: bool = True,
    ) -> Reply:
        """A successful answer; ``place`` is within the repository, or an absolute URL.

        body: makes the body anew for each attempt.
        scopes: rights to ask for, where they are not those of this client.
        again: a failure that may pass is met with patience; False for what must not be repeated.
        Raises Refused for any other answer than 2xx, Unavailable when nobody answers.
        """
        failures = 0
        while True:
            self.patience.cancellation.check()
            try:
                reply = self._authorized(method, place, headers or {}, body, scopes)
                if reply.status < 300:
                    self._note_warnings(reply)
                    return reply
                raise self._refused(method, place, reply)
            except Unreachable:
                raise  # who asks is told at once; a download that broke off is more patient
            except (Refused, Unavailable) as error:
                if not again:
                    raise
                failures += 1
                self.patience.wait(failures, error)

    def _note_warnings(self, reply: Reply) -> None:
        for line in reply.header_lines("Warning"):
            if (text := warning_of(line)) and len(self.warnings) < _WARNINGS:
                self.warnings[text] = None

    def _refused(self, method: str, place: str, reply: Reply) -> Refused:
        try:
            body = reply.read_all(_ERROR_LIMIT)
        except KnarrError:
            body = b""
        refusal = refusal_of(reply.status, body)
        if reply.status == 401:
            challenges = parse_challenges(reply.header_lines("WWW-Authenticate"))
            refusal = insufficient(refusal, challenges)
        words = scrubbed(refusal.text, secrets_of(self._login))
        return Refused(
            method,
            place if "://" in place else self.url(place),
            Refusal(status=refusal.status, codes=refusal.codes, text=words),
            wait_s=retry_after_s(reply.header("Retry-After"), datetime.now(UTC)),
        )

    def _authorized(
        self,
        method: str,
        place: str,
        headers: Mapping[str, str],
        body: Callable[[], Source] | None,
        scopes: Scopes | None,
    ) -> Reply:
        """Send it with what is known of the login, and once more when it is challenged."""
        rights = self._scopes if scopes is None else scopes
        url = place if "://" in place else self.url(place)
        login = self._authorizer.header(rights)
        reply, answered = self._followed(method, url, headers, body, login)
        if reply.status != 401 or not same_origin(answered, self.base()):
            return reply  # nobody but the registry itself may ask who we are
        challenges = parse_challenges(reply.header_lines("WWW-Authenticate"))
        if not challenges:
            return reply
        reply.discard()
        try:
            login = self._authorizer.answer(url, challenges, rights, login)
        except Unauthorized as error:
            raise Unauthorized(f'{method.capitalize()} "{shown(url)}": {error}') from error
        return self._followed(method, url, headers, body, login)[0]

    def _followed(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Source] | None,
        login: str | None,
    ) -> tuple[Reply, str]:
        """Send it, and go where the registry points to; the login stays with its origin.

        The answer, and the URL that gave it.
        """
        home = self.base()
        start = url
        for _ in range(_REDIRECTS + 1):
            own = same_origin(url, home)
            sent = {**headers, "Authorization": login} if login and own else dict(headers)
            call = Call(method=method, url=url, headers=sent, body=body() if body else None)
            reply = self._transport.send(call, self._trust(url))
            target = reply.header("Location") if reply.status in _MOVED else None
            if target is None or method not in ("GET", "HEAD"):
                return reply, url
            reply.discard()
            url = checked_target(url, target, insecure=self.endpoint.insecure)
        raise InvalidArgument(f"{origin_of(start).host} redirects without end")

    def _trust(self, url: str) -> Trust:
        """The endpoint is trusted as configured; elsewhere nothing is taken on faith."""
        host = origin_of(url)
        home = origin_of(f"{host.scheme}://{self.endpoint.host}")
        return Trust(
            verify=not self.endpoint.insecure,
            fenced=host.host != home.host and not home.is_loopback,
        )
