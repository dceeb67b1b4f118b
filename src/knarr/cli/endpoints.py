"""``--docker host=…,ca=…`` of contexts: an endpoint and its TLS files from key=value pairs."""

from __future__ import annotations

from collections.abc import Mapping

from knarr.cli.contexts import Context, ContextStore
from knarr.client.endpoint import Endpoint
from knarr.client.lean import Final
from knarr.errors import InvalidArgument

KEYS: Final = ("from", "host", "ca", "cert", "key", "skip-tls-verify")
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")


def pairs_of(text: str) -> dict[str, str]:
    """``host=tcp://x,ca=/y`` as pairs. Raises InvalidArgument in Docker's words."""
    pairs = {}
    for word in text.split(","):
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidArgument(f"{word} must be formatted as key=value")
        pairs[key] = value
    return pairs


def endpoint_of(
    store: ContextStore, pairs: Mapping[str, str], default_host: str
) -> tuple[str, bool, dict[str, bytes]]:
    """(host, skip verification, TLS files)."""
    problem = "unable to create docker endpoint config"
    for key in pairs:
        if key not in KEYS:
            raise InvalidArgument(f"{problem}: unrecognized config key: {key}")
    if source := pairs.get("from"):
        if source == "default":
            return default_host, False, {}
        context = store.get(source)
        return context.host, context.skip_verify, store.tls_files(source)
    host = pairs.get("host", "")
    if not host:
        raise InvalidArgument(f"{problem}: docker endpoint configuration is required")
    try:
        Endpoint.parse(host)
    except InvalidArgument as error:
        raise InvalidArgument(f"{problem}: invalid docker endpoint options: {error}") from error
    files = {}
    for key in ("ca", "cert", "key"):
        if path := pairs.get(key):
            try:
                with open(path, "rb") as file:
                    files[f"{key}.pem"] = file.read()
            except OSError as error:
                raise InvalidArgument(
                    f"{problem}: open {path}: {(error.strerror or '').lower()}"
                ) from error
    return host, _switch(pairs.get("skip-tls-verify", ""), problem), files


def _switch(text: str, problem: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE or not text:
        return False
    raise InvalidArgument(
        f'{problem}: skip-tls-verify: strconv.ParseBool: parsing "{text}": invalid syntax'
    )


def copied(store: ContextStore, source: str, name: str, default: Context) -> Context:
    """Another context under a new name, its TLS files copied."""
    if source == "default":
        context = default
    else:
        context = store.get(source)
        store.put_tls(name, store.tls_files(source))
    return Context(name=name, description=context.description, host=context.host,
                   skip_verify=context.skip_verify, metadata=context.metadata)  # fmt: skip
