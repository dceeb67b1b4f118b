"""What ``--log-driver`` and ``--log-opt`` may ask, refused in Docker's words.

Source: Docker's pages on logging drivers; formats.md, "Container logs".
"""

import re
from collections.abc import Mapping
from typing import Final

from knarr.container.logs.details import check_tag, tag
from knarr.container.logs.syslog import check_syslog
from knarr.container.model import Container
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import LogConfig
from knarr.units import size_bytes

DRIVERS: Final = ("journald", "json-file", "local", "none", "syslog")
SENDING: Final = ("journald", "syslog")
_ELSEWHERE: Final = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk")  # Docker's

_DETAILS: Final = frozenset({"env", "env-regex", "labels", "labels-regex", "tag"})
_FILES: Final = frozenset({"max-size", "max-file", "compress"})
_CACHE: Final = frozenset({"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
_EVERY: Final = frozenset({"mode", "max-buffer-size"})
_OWN: Final[Mapping[str, frozenset[str]]] = {
    "json-file": _DETAILS | _FILES,
    "local": _FILES,
    "journald": _DETAILS | _CACHE,
    "syslog": _DETAILS | _CACHE | {
        "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert",
        "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify",
    },
}  # fmt: skip
_TRUTHS: Final = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
NOT_READY: Final = "failed to initialize logging driver"


def checked_log(config: LogConfig) -> tuple[str, ...]:
    """Warnings about what has no effect here. Raises InvalidArgument, Unsupported."""
    name, options = config.type, config.config
    if name in _ELSEWHERE:
        raise Unsupported(f"the log driver {name} is not supported: use {', '.join(DRIVERS)}")
    if name not in DRIVERS:
        raise InvalidArgument(f"logger: no log driver named '{name}' is registered")
    _check_delivery(options)
    if name == "none":
        return ()
    for option in options:
        if option not in _OWN[name] | _EVERY:
            where = "log driver local" if name == "local" else f"{name} log driver"
            raise InvalidArgument(f"unknown log opt '{option}' for {where}")
    _check_files(options, "cache-" if name in SENDING else "")
    _check_truth(options, "cache-disabled")
    _check_details(options)
    if name == "syslog":
        check_syslog(options)
    return _warnings(options)


def check_fit(container: Container) -> None:
    """Raises InvalidArgument where the tag that was asked for cannot be made of this container."""
    try:
        tag(container)
    except InvalidArgument as error:
        raise InvalidArgument(f"{NOT_READY}: {error}") from error


def is_true(options: Mapping[str, str], name: str) -> bool:
    """Of an option that was checked; False where it was not given."""
    return _TRUTHS.get(options.get(name, "").lower(), False)


def kept(config: LogConfig | None) -> tuple[str, str]:
    """``max-size`` and ``max-file`` of the log on disk, empty where nothing was said."""
    if config is None:
        return "", ""
    before = "cache-" if config.type in SENDING else ""
    options = config.config
    return options.get(f"{before}max-size", ""), options.get(f"{before}max-file", "")


def is_readable(config: LogConfig | None) -> bool:
    """Whether ``docker logs`` shows it."""
    return config is None or not (config.type == "none" or is_true(config.config, "cache-disabled"))


def _check_delivery(options: Mapping[str, str]) -> None:
    """Nobody waits for a log here, whatever the mode: the keeper writes it to disk."""
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidArgument(f"logger: logging mode not supported: {mode}")
    if (size := options.get("max-buffer-size")) is None:
        return
    if mode != "non-blocking":
        raise InvalidArgument(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    try:
        size_bytes(size)
    except InvalidArgument as error:
        raise InvalidArgument(f"error parsing option max-buffer-size: {error}") from error


def _check_files(options: Mapping[str, str], before: str) -> None:
    if size := options.get(f"{before}max-size"):
        try:
            too_small = size_bytes(size) <= 0
        except InvalidArgument as error:
            raise InvalidArgument(f"{NOT_READY}: {error}") from error
        if too_small:
            raise InvalidArgument(f"{NOT_READY}: {before}max-size must be a positive number")
    if count := options.get(f"{before}max-file"):
        if not count.isascii() or not count.lstrip("-").isdecimal():
            raise InvalidArgument(f"{NOT_READY}: {before}max-file is no number: {count!r}")
        if int(count) < 1:
            raise InvalidArgument(f"{NOT_READY}: {before}max-file cannot be less than 1")
    _check_truth(options, f"{before}compress")


def _check_truth(options: Mapping[str, str], name: str) -> None:
    if options.get(name, "true").lower() not in _TRUTHS:
        raise InvalidArgument(f"invalid value for option {name}: {options[name]}")


def _check_details(options: Mapping[str, str]) -> None:
    for name in ("labels-regex", "env-regex"):
        try:
            re.compile(options.get(name, ""))
        except re.error as error:
            raise InvalidArgument(f"{NOT_READY}: error parsing regexp: {error}") from error
    try:
        check_tag(options.get("tag", ""))
    except InvalidArgument as error:
        raise InvalidArgument(f"{NOT_READY}: {error}") from error


def _warnings(options: Mapping[str, str]) -> tuple[str, ...]:
    compressed = [name for name in ("compress", "cache-compress") if is_true(options, name)]
    return tuple(f"log opt '{name}' has no effect: logs are not compressed" for name in compressed)
