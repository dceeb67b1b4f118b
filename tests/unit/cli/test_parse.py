"""Flags as pflag reads them; each expectation was checked with docker's own client."""

import pytest

from knarr.cli.command import INT, LIST, STRING, Flag, Option
from knarr.cli.exit import BadFlag
from knarr.cli.flags import BYTES
from knarr.cli.parse import parse

NO, BAD, FAR = "INVALID ", ": invalid syntax", ": value out of range"
HUGE = "99999999999999999999"
OPTIONS = [
    Option("all_", (bool, Flag("", short="-a")), False),
    Option("detach", (bool, Flag("", short="-d")), False),
    Option("interactive", (bool, Flag("", short="-i")), False),
    Option("tty", (bool, Flag("", short="-t")), False),
    Option("publish", (LIST, Flag("", short="-p", kind=LIST)), ()),
    Option("name", (STRING, Flag("", kind=STRING)), ""),
    Option("timeout", (INT, Flag("", short="-n", kind=INT, deprecated=("time",))), 0),
    Option("memory", (BYTES, Flag("", short="-m", kind=BYTES)), 0),
    Option("network", (LIST, Flag("", kind=LIST, also=("net",))), ()),
]


@pytest.mark.parametrize(
    ("line", "values", "arguments"),
    [
        ("", {}, []),
        ("a b", {}, ["a", "b"]),
        ("-it x", {"interactive": True, "tty": True}, ["x"]),
        ("-p80:80 -p 81:81 x", {"publish": ("80:80", "81:81")}, ["x"]),
        ("-dp 80:80", {"detach": True, "publish": ("80:80",)}, []),
        ("-dp80:80", {"detach": True, "publish": ("80:80",)}, []),
        ("-p=80:80", {"publish": ("80:80",)}, []),
        ("--publish=80:80", {"publish": ("80:80",)}, []),
        ("--name -x", {"name": "-x"}, []),
        ("--name=", {"name": ""}, []),
        ("--all=false", {"all_": False}, []),
        ("-a=0", {"all_": False}, []),
        ("--all x", {"all_": True}, ["x"]),
        ("x -a y", {"all_": True}, ["x", "y"]),
        ("-- -a", {}, ["-a"]),
        ("x -- -a", {}, ["x", "-a"]),
        ("-", {}, ["-"]),
        ("-n 0x10", {"timeout": 16}, []),
        ("-n -1", {"timeout": -1}, []),
        ("-m 1.5g", {"memory": 1610612736}, []),
        ("--net a --network b", {"network": ("a", "b")}, []),
    ],
)
def test_flags_are_read_in_all_their_spellings(
    line: str, values: dict[str, object], arguments: list[str]
) -> None:
    parsed = parse(line.split(), OPTIONS)
    assert (parsed.values, parsed.arguments) == (values, arguments)


def test_after_the_first_argument_everything_may_be_somebody_elses() -> None:
    parsed = parse(["-a", "busybox", "ls", "-d", "--rm"], OPTIONS, interspersed=False)
    assert parsed.values == {"all_": True}
    assert parsed.arguments == ["busybox", "ls", "-d", "--rm"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--bad", "unknown flag: --bad"),
        ("--bad=x", "unknown flag: --bad"),
        ("-z", "unknown shorthand flag: 'z' in -z"),
        ("-az", "unknown shorthand flag: 'z' in -z"),
        ("--name", "flag needs an argument: --name"),
        ("-p", "flag needs an argument: 'p' in -p"),
        ("-ap", "flag needs an argument: 'p' in -p"),
        ("---x", "bad flag syntax: ---x"),
        ("--=x", "bad flag syntax: --=x"),
        ("--all=maybe", NO + 'for "-a, --all" flag: strconv.ParseBool: parsing "maybe"' + BAD),
        ("-n x", NO + 'for "-n, --timeout" flag: strconv.ParseInt: parsing "x"' + BAD),
        ("-n 1_", NO + 'for "-n, --timeout" flag: strconv.ParseInt: parsing "1_"' + BAD),
        (f"-n {HUGE}", NO + f'for "-n, --timeout" flag: strconv.ParseInt: parsing "{HUGE}"' + FAR),
        ("-m abc", 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\''),
        ("-m -1", 'invalid argument "-1" for "-m, --memory" flag: invalid size: \'-1\''),
    ],
)
def test_what_cannot_be_read_is_refused_in_dockers_words(line: str, problem: str) -> None:
    with pytest.raises(BadFlag) as refused:
        parse(line.split(), OPTIONS)
    value = line.replace("=", " ").split()[-1]
    assert str(refused.value) == problem.replace(NO, f'invalid argument "{value}" ')


def test_help_is_a_flag_of_every_command() -> None:
    assert parse(["--help"], OPTIONS).help
    assert parse(["x", "-h"], OPTIONS).help


def test_an_old_name_works_and_says_so() -> None:
    parsed = parse(["--time", "3"], OPTIONS)
    assert parsed.values == {"timeout": 3}
    assert parsed.warnings == ["Flag --time has been deprecated, use --timeout instead"]
