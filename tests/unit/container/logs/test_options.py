"""Log drivers and their options: what is refused, in Docker's words (20.10's, as it said them)."""

import pytest

from knarr.container.logs.options import checked_log, is_readable, kept
from knarr.errors import InvalidArgument, Unsupported
from knarr.spec.docker.container import LogConfig

REFUSED = [
    ("json-file", {"foo": "bar"}, "unknown log opt 'foo' for json-file log driver"),
    ("local", {"labels": "a"}, "unknown log opt 'labels' for log driver local"),
    ("journald", {"max-size": "1m"}, "unknown log opt 'max-size' for journald log driver"),
    ("syslog", {"foo": "bar"}, "unknown log opt 'foo' for syslog log driver"),
    ("nosuch", {}, "logger: no log driver named 'nosuch' is registered"),
    ("json-file", {"mode": "foo"}, "logger: logging mode not supported: foo"),
    (
        "local",
        {"max-buffer-size": "1m"},
        "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ),
    (
        "local",
        {"mode": "non-blocking", "max-buffer-size": "x"},
        "error parsing option max-buffer-size: invalid size: 'x'",
    ),
    ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
    ("json-file", {"max-size": "x"}, "failed to initialize logging driver: invalid size: 'x'"),
    ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
    ("json-file", {"max-file": "x"}, "max-file is no number: 'x'"),
    ("syslog", {"cache-max-file": "0"}, "cache-max-file cannot be less than 1"),
    ("journald", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
    ("json-file", {"compress": "maybe"}, "invalid value for option compress: maybe"),
    ("json-file", {"labels-regex": "["}, "error parsing regexp"),
    ("syslog", {"tag": "{{.ID"}, "template: log-tag:1: unclosed action"),
    ("syslog", {"syslog-address": "foo"}, "should be in form proto://address, got foo"),
    ("syslog", {"syslog-address": "foo://x"}, "should be in form proto://address, got foo://x"),
    ("syslog", {"syslog-address": "unix:///nonex"}, "stat /nonex: no such file or directory"),
    (
        "syslog",
        {"syslog-address": "tcp://1.2.3.4:x"},
        'parse "tcp://1.2.3.4:x": invalid port ":x" after host',
    ),
    ("syslog", {"syslog-facility": "foo"}, "invalid syslog facility"),
    ("syslog", {"syslog-facility": "99"}, "invalid syslog facility"),
    ("syslog", {"syslog-format": "x"}, "Invalid syslog format"),
]


@pytest.mark.parametrize(("driver", "options", "words"), REFUSED)
def test_what_cannot_be_is_refused(driver: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        checked_log(LogConfig(type=driver, config=options))
    assert words in str(refused.value)


def test_drivers_that_docker_has_and_we_have_not_are_named() -> None:
    with pytest.raises(Unsupported, match="fluentd is not supported: use journald, json-file"):
        checked_log(LogConfig(type="fluentd"))


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("json-file", {"max-size": "1m", "max-file": "3", "tag": "{{.Name}}/{{.ID}}"}),
        ("json-file", {"tag": '{{index .ContainerLabels "a"}}'}),
        ("local", {"mode": "non-blocking", "max-buffer-size": "4m"}),
        ("journald", {"labels": "a", "env-regex": "^E", "cache-max-size": "1m"}),
        ("syslog", {"syslog-address": "udp://1.2.3.4", "syslog-facility": "local7"}),
        ("syslog", {"syslog-address": "tcp+tls://[::1]:6514", "syslog-format": "rfc5424micro"}),
        ("none", {"anything": "goes"}),
    ],
)
def test_what_docker_takes_is_taken(driver: str, options: dict[str, str]) -> None:
    assert checked_log(LogConfig(type=driver, config=options)) == ()


def test_that_nothing_is_compressed_is_said() -> None:
    (warning,) = checked_log(LogConfig(type="json-file", config={"compress": "true"}))
    assert warning == "log opt 'compress' has no effect: logs are not compressed"


def test_what_is_kept_on_disk() -> None:
    files = LogConfig(type="local", config={"max-size": "1m", "max-file": "2"})
    cache = LogConfig(type="syslog", config={"cache-max-size": "3m"})
    assert kept(files) == ("1m", "2")
    assert kept(cache) == ("3m", "")
    assert kept(None) == ("", "")


def test_which_logs_can_be_read() -> None:
    assert is_readable(LogConfig(type="journald"))
    assert not is_readable(LogConfig(type="journald", config={"cache-disabled": "true"}))
    assert not is_readable(LogConfig(type="none"))
