"""Proving who one is to a registry: Basic, or a token from the server that it names.

The login goes to two places only: to the registry's own origin, and to the token server that this
origin itself named in a challenge. Never after a redirect, never into a message.
Source: distribution, token and OAuth2 specifications.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from knarr.errors import InvalidArgument, KnarrError, Unauthorized, Unavailable
from knarr.registry.challenge import Challenge, Scope, parse_scopes, united
from knarr.registry.failures import Refusal, Refused, refusal_of
from knarr.registry.origin import checked_target, origin_of
from knarr.registry.transport import Call, Reply, Transport, Trust
from knarr.spec import decode
from knarr.spec.docker.auth import AuthConfig, basic

CLIENT_ID: Final = "knarr"
_TOKEN_LIMIT: Final = 256 << 10  # bytes of a token server's answer
_LIFE_S: Final = 60.0  # of a token whose server does not say
_LONGEST_LIFE_S: Final = 24 * 3600.0
_SHORTEST_SECRET: Final = 4  # shorter ones would blot out ordinary words
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
Scopes = tuple[Scope, ...]


class TokenReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a token server answers; older ones say ``token``, newer ones ``access_token``."""

    token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_in: float = _LIFE_S
    issued_at: str = ""

    def __repr__(self) -> str:
        return f"TokenReply(expires_in={self.expires_in})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Token:
    header: str
    good_until_s: float  # of the monotonic clock


class Authorizer:
    """The ``Authorization`` header for one registry and one login; shared by threads."""

    def __init__(
        self,
        transport: Transport,
        login: AuthConfig,
        *,
        insecure: bool = False,
        offline: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """offline: ask for an identity token too, to keep instead of the password."""
        self._transport, self._login, self._clock = transport, login, clock
        self._insecure, self._offline = insecure, offline
        self._tokens: dict[Scopes, _Token] = {}
        self._basic = False
        self._lock = threading.Lock()
        self.identity_token = ""  # given by the token server on a login

    def header(self, scopes: Scopes) -> str | None:
        """What is known to be good for these rights, None while nothing is."""
        if self._login.registrytoken:
            return f"Bearer {self._login.registrytoken}"
        if self._basic:
            return self._basic_header()
        known = self._tokens.get(scopes)
        return known.header if known and known.good_until_s > self._clock() else None

    def answer(
        self, url: str, challenges: Sequence[Challenge], scopes: Scopes, used: str | None
    ) -> str:
        """A header that meets the challenge of ``url`` for these rights.

        used: the header that was just refused; the same is not given again.
        Raises Unauthorized when there is none.
        """
        with self._lock:
            known = self.header(scopes)  # another thread may have been faster
            if known and known != used:
                return known
            self._tokens.pop(scopes, None)
            for challenge in challenges:
                if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                    return self._bearer(url, challenge, scopes)
                if challenge.scheme == "basic" and used is None and self._login.username:
                    self._basic = True
                    return self._basic_header()
        raise Unauthorized(_why_not(self._login, challenges, url))

    def _basic_header(self) -> str:
        return f"Basic {basic(self._login.username, self._login.password)}"

    def _bearer(self, url: str, challenge: Challenge, scopes: Scopes) -> str:
        realm = checked_target(url, challenge.parameters["realm"], insecure=self._insecure)
        asked = united(scopes, parse_scopes(challenge.parameters.get("scope", "")))
        reply = self._fetch(realm, challenge.parameters.get("service", ""), asked, url)
        text = reply.access_token or reply.token
        if not text or not text.isascii() or not text.isprintable():
            raise Unauthorized(f"the token server of {origin_of(url).host} sent no token")
        self.identity_token = reply.refresh_token or self.identity_token
        life = min(max(reply.expires_in, _LIFE_S), _LONGEST_LIFE_S)
        header = f"Bearer {text}"
        # Renewed a little early: a token must not run out between here and there.
        self._tokens[scopes] = _Token(header=header, good_until_s=self._clock() + life * 0.9)
        return header

    def _fetch(self, realm: str, service: str, scopes: Scopes, source: str) -> TokenReply:
        trust = Trust(verify=not self._insecure, fenced=not origin_of(source).is_loopback)
        failure: KnarrError | None = None
        for call in token_calls(realm, service, scopes, self._login, offline=self._offline):
            reply = self._transport.send(call, trust)
            body = reply.read_all(_TOKEN_LIMIT)
            if reply.status == 200:
                return _token_reply(body, realm)
            failure = self._failure(call, reply, body)
            if reply.status not in (404, 405):
                break
        raise failure or Unauthorized("no way to ask for a token")

    def _failure(self, call: Call, reply: Reply, body: bytes) -> KnarrError:
        refusal = refusal_of(reply.status, body)
        words = scrubbed(refusal.text, secrets_of(self._login))
        refusal = Refusal(status=refusal.status, codes=refusal.codes, text=words)
        refused = Refused(call.method, call.url, refusal, wait_s=None)
        if reply.status in (400, 401, 403):
            return Unauthorized(words or "unauthorized: incorrect username or password")
        return Unavailable(str(refused)) if reply.status >= 500 else refused.meaning()


def token_calls(
    realm: str, service: str, scopes: Scopes, login: AuthConfig, *, offline: bool = False
) -> list[Call]:
    """The requests that may yield a token, in the order in which to try them. Pure.

    offline: an identity token is wanted too; servers give it out in one of two ways.
    """
    if login.identitytoken:
        return [_oauth(realm, service, scopes, login)]
    calls = [_get(realm, service, scopes, login, offline=offline)]
    return [*calls, _oauth(realm, service, scopes, login)] if offline else calls


def _oauth(realm: str, service: str, scopes: Scopes, login: AuthConfig) -> Call:
    form = {"service": service, "client_id": CLIENT_ID, "scope": " ".join(map(str, scopes))}
    if login.identitytoken:
        form |= {"grant_type": "refresh_token", "refresh_token": login.identitytoken}
    else:
        form |= {
            "grant_type": "password", "access_type": "offline",
            "username": login.username, "password": login.password,
        }  # fmt: skip
    filled = {name: value for name, value in form.items() if value}
    return Call(method="POST", url=realm, headers=_FORM, body=urlencode(filled).encode())


def _get(
    realm: str, service: str, scopes: Scopes, login: AuthConfig, *, offline: bool = False
) -> Call:
    parts = urlsplit(realm)
    query = parse_qsl(parts.query, keep_blank_values=True)
    query += [("service", service)] if service else []
    query += [("scope", str(each)) for each in scopes]
    headers: Mapping[str, str] = {}
    if login.username:
        query += [("account", login.username)]
        headers = {"Authorization": f"Basic {basic(login.username, login.password)}"}
    if offline:
        query += [("offline_token", "true"), ("client_id", CLIENT_ID)]
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))
    return Call(method="GET", url=url, headers=headers)


def _token_reply(body: bytes, realm: str) -> TokenReply:
    try:
        return decode(body, TokenReply)
    except InvalidArgument:
        raise Unavailable(f"the token server {origin_of(realm).host} sent no token") from None


def _why_not(login: AuthConfig, challenges: Iterable[Challenge], url: str) -> str:
    kinds = {challenge.scheme for challenge in challenges}
    if login:
        return f"unauthorized: {origin_of(url).host} refuses this login"
    if "basic" in kinds:
        return "no basic auth credentials"
    return f"unauthorized: authentication required by {origin_of(url).host}"


def secrets_of(login: AuthConfig) -> tuple[str, ...]:
    packed = basic(login.username, login.password) if login.password else ""
    every = (login.password, login.identitytoken, login.registrytoken, packed)
    return tuple(secret for secret in every if len(secret) >= _SHORTEST_SECRET)


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """A server's words, without a secret that it may have echoed."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
