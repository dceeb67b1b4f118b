"""From a request to the function that answers it: its signature is the declaration.

The engine comes first, then the names in the path; ``body`` is the JSON body, ``request`` the bare
request, ``version`` the API version asked for; keyword-only arguments are the query. ``None``
answers 204, a document (or several) JSON, an ``AsyncIterator`` of documents a stream of them.
"""

import inspect
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NewType, get_type_hints
from urllib.parse import unquote_plus

import msgspec

from knarr.api.ladder import STEPS, shaped
from knarr.api.versions import ANNOUNCED, MAXIMUM, MINIMUM, ApiVersion, checked_version
from knarr.errors import InvalidArgument, KnarrError, NotFound, status_of
from knarr.http.message import Answer, Hijack, Request, Response
from knarr.services import Engine
from knarr.spec import decode_request, encode

Filters = NewType("Filters", dict[str, tuple[str, ...]])
"""The ``filters`` parameter: each key with the values that were given for it."""

Endpoint = Callable[..., Awaitable[Any]]
_log = logging.getLogger("knarr.api")
_JSON: Final = {"Content-Type": "application/json"}
_BODY_LIMIT: Final = 16 << 20
_FALSE: Final = frozenset({"", "0", "no", "false", "none"})
_PREFIX: Final = re.compile(r"/v(\d+\.\d+)(?=/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint: how it is asked for, and the function that answers."""

    method: str
    template: str
    pattern: re.Pattern[str]
    function: Endpoint
    status: int
    body: Any
    body_name: str
    special: frozenset[str]
    query: Mapping[str, Callable[[list[str]], Any]]


_routes: Final[dict[str, list[Route]]] = {}


def route(method: str, template: str, *, status: int = 0) -> Callable[[Endpoint], Endpoint]:
    """Declare an endpoint. ``{name}`` is one part of the path, ``{name:path}`` may hold slashes.

    status: of success, where it is neither 200 nor 204.
    """

    def declare(function: Endpoint) -> Endpoint:
        _routes.setdefault(_bucket(method, template), []).append(
            _read_signature(method, template, status, function)
        )
        return function

    return declare


def declared() -> Iterator[Route]:
    """All endpoints, for the compatibility tables."""
    for bucket in _routes.values():
        yield from bucket


def _bucket(method: str, path: str) -> str:
    return f"{method} {path.split('/', 2)[1]}"


def _read_signature(method: str, template: str, status: int, function: Endpoint) -> Route:
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters
    query = {
        name: _reader(hints[name])
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(
        method=method,
        template=template,
        pattern=re.compile(pattern),
        function=function,
        status=status,
        body=hints.get("body"),
        body_name="body" if "body" in parameters else "",
        special=frozenset({"request", "version"} & parameters.keys()),
        query=query,
    )


def _reader(hint: Any) -> Callable[[list[str]], Any]:
    """How a query parameter is read from the values that were given: the first, as Go does."""
    names = {part.strip() for part in str(getattr(hint, "__name__", hint)).split("|")}
    if hint is Filters or "Filters" in str(hint):
        return lambda values: read_filters(values[0])
    if hint is bool or "bool" in names:
        return lambda values: values[0].lower() not in _FALSE
    if hint is int or "int" in names:
        return lambda values: _integer(values[0])
    if str(hint).startswith("tuple"):
        return lambda values: tuple(values)
    return lambda values: values[0]


def _integer(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(f"invalid value {text!r}: not a whole number") from None


def read_filters(text: str) -> Filters:
    """Both spellings: ``{"label":["a"]}`` and ``{"label":{"a":true}}``."""
    if not text:
        return Filters({})
    try:
        plain = json.loads(text)
        return Filters({key: _filter_values(values) for key, values in plain.items()})
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidArgument(f"invalid filter: {text}") from error


def _filter_values(values: Any) -> tuple[str, ...]:
    if isinstance(values, dict):
        return tuple(str(value) for value, wanted in values.items() if wanted)
    if isinstance(values, list):
        return tuple(str(value) for value in values)
    raise TypeError(values)


def only_known(filters: Filters, *known: str) -> None:
    """Refuse filters by any other name. Raises InvalidArgument in Docker's words."""
    for name in filters:
        if name not in known:
            raise InvalidArgument(f"invalid filter '{name}'")


class Router:
    """The application: finds the route, reads what it declares, turns what comes back to bytes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: Request) -> Answer:
        try:
            return await self._answer(request)
        except KnarrError as error:
            return error_response(error)
        except ConnectionError:
            raise  # the client has gone: there is nobody to answer
        except Exception as error:
            _log.exception("%s %s", request.method, request.path)
            return error_response(KnarrError(_internal(error)))

    async def _answer(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Response(status=200)  # for every path, and no page's script is let in by it
        path, version = request.path, ANNOUNCED
        if match := _PREFIX.match(path):
            path, version = path[match.end() :], checked_version(match[1])
        method = "GET" if request.method == "HEAD" else request.method
        for found, captured in self._candidates(request.method, method, path):
            arguments = await _arguments(found, captured, request, version)
            result = await found.function(self._engine, **arguments)
            return answer_of(_of_version(result, found, version), found.status)
        raise _missing(request.method, path)

    def _candidates(
        self, asked: str, method: str, path: str
    ) -> Iterator[tuple[Route, dict[str, str]]]:
        if not path.startswith("/"):
            return
        for verb in dict.fromkeys((asked, method)):
            for candidate in _routes.get(_bucket(verb, path), ()):
                if match := candidate.pattern.fullmatch(path):
                    yield candidate, match.groupdict()


def _of_version(result: object, found: Route, version: ApiVersion) -> object:
    """The result, its documents in the shape of the version that was asked for."""
    endpoint = f"{found.method} {found.template}"
    if version >= MAXIMUM or endpoint not in STEPS or isinstance(result, Response | AsyncIterator):
        return result
    plain = msgspec.to_builtins(result)
    shaped(endpoint, plain, version)
    return plain


def _missing(method: str, path: str) -> KnarrError:
    elsewhere = [each for each in declared() if each.pattern.fullmatch(path)]
    if elsewhere:
        return NotFound(f"page not found: {method} is not a method of {path}")
    return NotFound("page not found")


async def _arguments(
    found: Route, captured: dict[str, str], request: Request, version: ApiVersion
) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(captured)
    if found.query and request.raw_query:
        given = _query(request.raw_query)
        for name, read in found.query.items():
            spelled = _spelled(name, given)
            if spelled is not None and (value := read(given[spelled])) is not None:
                arguments[name] = value
    if found.body_name:
        raw = await request.body.read(_BODY_LIMIT)
        arguments["body"] = decode_request(raw or b"{}", found.body)
    if "request" in found.special:
        arguments["request"] = request
    if "version" in found.special:
        arguments["version"] = version
    return arguments


def _query(raw: str) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for pair in raw.split("&"):
        if pair:
            key, _, value = pair.partition("=")
            given.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return given


def _spelled(name: str, given: Mapping[str, object]) -> str | None:
    """Python's name for a parameter, or the wire's: ``noprune``, ``fromImage``, ``one-shot``."""
    if name in given:
        return name
    plain = name.replace("_", "").lower()
    return next((key for key in given if key.replace("-", "").lower() == plain), None)


def answer_of(result: object, status: int = 0) -> Answer:
    """What a route returned, as an answer."""
    match result:
        case Response() | Hijack():
            return result
        case None:
            return Response(status=status or 204)
        case AsyncIterator():
            return Response(status=status or 200, headers=_JSON, body=_lines(result))
        case bytes() | str():
            body = result.encode() if isinstance(result, str) else result
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            return Response(status=status or 200, headers=headers, body=body)
        case _:
            return Response(status=status or 200, headers=_JSON, body=encode(result) + b"\n")


async def _lines(documents: AsyncIterator[object]) -> AsyncIterator[bytes]:
    """A stream of documents; a failure half-way is its last one, since the status has gone."""
    try:
        async for document in documents:
            yield document if isinstance(document, bytes) else encode(document) + b"\r\n"
    except KnarrError as error:
        yield _last_line(str(error))
    except ConnectionError:
        raise  # the client has gone
    except Exception as error:
        _log.exception("a streamed answer broke off")
        yield _last_line(_internal(error))


def _last_line(problem: str) -> bytes:
    return msgspec.json.encode({"errorDetail": {"message": problem}, "error": problem}) + b"\r\n"


def _internal(error: Exception) -> str:
    return f"internal error: {type(error).__name__}: {error}"


def error_response(error: KnarrError) -> Response:
    """The error in Docker's form."""
    body = msgspec.json.encode({"message": str(error)}) + b"\n"
    return Response(status=status_of(error), headers=_JSON, body=body)


__all__ = ["MAXIMUM", "MINIMUM", "Filters", "Route", "Router", "only_known", "route"]
