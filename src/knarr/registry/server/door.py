"""The door: who is calling, and what that caller may do here.

Three kinds of registry: open to everybody; guarded by passwords (HTTP's Basic); guarded by tokens,
which the registry hands out itself at ``/token`` in exchange for a password. In the latter a caller
without a login gets a token too, for what is public.
Source: RFC 7617; distribution, token and OAuth2 specifications.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from knarr.http.message import Request, Response
from knarr.registry.challenge import Scope, parse_scopes, scope, united
from knarr.registry.server.access import OPEN, Access
from knarr.registry.server.logins import Claim, HtpasswdFile, TokenMaker, basic_login
from knarr.registry.server.problems import Problem
from knarr.store import Database

_TOKEN_LIFE_S: Final = 300.0
_IDENTITY_LIFE_S: Final = 90 * 24 * 3600.0
_REALM: Final = "knarr registry"
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")
_FORM_LIMIT: Final = 64 << 10
_CHECKS_AT_ONCE: Final = 2  # passwords are slow to check: strangers must not take all processors
_FACT: Final = "registry token key"
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. ``claim``: what a token says that the caller may do; None where rules decide."""

    user: str = ""
    claim: Claim | None = None


class Door:
    """Lets in, or says what to bring."""

    def __init__(
        self,
        *,
        access: Access = OPEN,
        passwords: HtpasswdFile | None = None,
        tokens: TokenMaker | None = None,
        url: str = "",
        scheme: str = "http",
    ) -> None:
        """tokens: guard by tokens, not by passwords.

        url: of this registry as its clients see it; where it is not given their own word counts.
        """
        self.access = access
        self._passwords, self._tokens = passwords, tokens
        self._url, self._scheme = url.rstrip("/"), scheme
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def caller(self, request: Request) -> Caller:
        """Raises Problem for a login or token that is not good."""
        header = request.headers.get("authorization", "")
        if not header or self._passwords is None:
            return Caller()
        if self._tokens is not None:
            if not header.lower().startswith(_BEARER):
                raise self._ask(request, (), "invalid_token")
            claim = self._tokens.read(header[len(_BEARER) :].strip(), "access")
            if claim is None:
                raise self._ask(request, (), "invalid_token")
            return Caller(user=claim.user, claim=claim)
        user = await self._user_of(header)
        if user is None:
            raise self._ask(request, ())
        return Caller(user=user)

    def check(self, request: Request, caller: Caller) -> None:
        """``/v2/`` is for who is known; where strangers may do something, for them too."""
        if self._passwords is None or caller.user or caller.claim:
            return
        if self._tokens is not None or not self._has_public_part():
            raise self._ask(request, ())

    def require(self, request: Request, caller: Caller, name: str, *rights: str) -> None:
        """Raises Problem unless the caller has these rights on a repository."""
        wanted = scope(name, *rights)
        if self._may(caller, wanted):
            return
        if self._tokens is not None:
            raise self._ask(request, (wanted,), "insufficient_scope" if caller.claim else "")
        if self._passwords is not None and not caller.user:
            raise self._ask(request, (wanted,))
        raise Problem("DENIED", detail=[{"Type": "repository", "Name": name}])

    def may_pull(self, caller: Caller, name: str) -> bool:
        """For lists: what is not for this caller's eyes is left out."""
        return "pull" in self.access.rights(caller.user, name)

    def _may(self, caller: Caller, wanted: Scope) -> bool:
        rights = set(wanted.actions)
        if caller.claim is not None:
            claimed = [each for each in caller.claim.scopes if each.name == wanted.name]
            return any(rights <= set(each.actions) for each in claimed)
        if self._tokens is not None:
            return False
        return rights <= self.access.rights(caller.user, wanted.name)

    def _has_public_part(self) -> bool:
        return any(rule.user == "*" for rule in self.access.rules)

    # -- challenges ------------------------------------------------------------------------------

    def _ask(self, request: Request, wanted: tuple[Scope, ...], error: str = "") -> Problem:
        if self._tokens is None:
            value = f'Basic realm="{_REALM}"'
        else:
            base = self._base(request)
            parameters = {"realm": f"{base}/token", "service": base.partition("://")[2]}
            parameters |= {"scope": " ".join(map(str, wanted))} if wanted else {}
            parameters |= {"error": error} if error else {}
            value = "Bearer " + ",".join(f'{key}="{text}"' for key, text in parameters.items())
        return Problem("UNAUTHORIZED", headers={"WWW-Authenticate": value})

    def _base(self, request: Request) -> str:
        if self._url:
            return self._url
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            raise Problem("UNAUTHORIZED", "a Host header is needed to say where tokens are")
        return f"{self._scheme}://{host}"

    # -- tokens ----------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        """The token server: a password, or an identity token, for an access token."""
        if self._tokens is None or self._passwords is None:
            raise Problem("UNSUPPORTED", "this registry has no token server")
        form = request.query()
        if request.method == "POST":
            body = await request.body.read(_FORM_LIMIT)
            form = parse_qs(body.decode("utf-8", "replace"))
        user = await self._token_user(request, form)
        asked = united(parse_scopes(" ".join(form.get("scope", ()))))
        granted = self.access.granted(user, asked)
        token = self._tokens.access(user, granted, _TOKEN_LIFE_S)
        answer: dict[str, Any] = {
            "token": token,
            "access_token": token,
            "expires_in": round(_TOKEN_LIFE_S),
            "issued_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "scope": " ".join(str(each) for each in granted),
        }
        wants_identity = form.get("access_type") == ["offline"] or "offline_token" in form
        if user and wants_identity:
            mark = self._passwords.fingerprint(user)
            answer["refresh_token"] = self._tokens.identity(user, mark, _IDENTITY_LIFE_S)
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return Response(headers=headers, body=msgspec.json.encode(answer))

    async def _token_user(self, request: Request, form: Mapping[str, list[str]]) -> str:
        assert self._tokens is not None
        assert self._passwords is not None
        grant = form.get("grant_type", [""])[0]
        if grant == "refresh_token":
            claim = self._tokens.read(form.get("refresh_token", [""])[0], "identity")
            if claim and claim.fingerprint == self._passwords.fingerprint(claim.user):
                return claim.user
        elif grant == "password":
            username, password = (form.get(key, [""])[0] for key in ("username", "password"))
            if await self._knows(username, password):
                return username
        elif header := request.headers.get("authorization", ""):
            user = await self._user_of(header)
            if user is not None:
                return user
        elif request.method == "GET":
            return ""  # a stranger, who gets what is public
        raise Problem("UNAUTHORIZED", "incorrect username or password")

    async def _user_of(self, header: str) -> str | None:
        login = basic_login(header)
        if login is None or not await self._knows(*login):
            return None
        return login[0]

    async def _knows(self, username: str, password: str) -> bool:
        assert self._passwords is not None
        async with self._checks:
            return await asyncio.to_thread(self._passwords.knows, username, password)


def token_maker(db: Database) -> TokenMaker:
    """With the key of this data root, made when it is first needed."""
    with db.transaction() as tx:
        tx.execute(
            "INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)",
            (_FACT, secrets.token_hex(32)),
        )
    row = db.query_one("SELECT value FROM facts WHERE name = ?", (_FACT,))
    assert row is not None
    return TokenMaker(secret=bytes.fromhex(row["value"]))
