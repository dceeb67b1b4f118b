"""From the words of a command line to an exit code."""

from __future__ import annotations

import os
import sys

from knarr.cli.cli import PROGRAM, Cli
from knarr.cli.exit import BAD_FLAG, FAILED, BadArguments, BadFlag, Exit, code_of, text_of
from knarr.cli.words import GROUP_FLAGS, GROUPS, PROGRAMS, find, group_options, load
from knarr.client.lean import TYPE_CHECKING
from knarr.errors import KnarrError, Unsupported

if TYPE_CHECKING:
    from knarr.cli.command import Command


def main(words: list[str]) -> int:
    """Run what the words say. Everything a person should read has been printed on return."""
    cli = Cli()
    try:
        code = run(cli, words)
        cli.out.flush()
        cli.err.flush()
    except BrokenPipeError:
        # Whoever read our output has left. Standard output must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    return code


def run(cli: Cli, words: list[str]) -> int:
    """The same with a Cli of the caller's: tests bring their own streams."""
    try:
        return _dispatch(cli, words)
    except KeyboardInterrupt as interrupt:
        return code_of(interrupt)
    except KnarrError as error:
        if text := text_of(error):
            cli.warn(text)
        return code_of(error)
    finally:
        cli.close()


def _dispatch(cli: Cli, words: list[str]) -> int:
    if words and words[0].startswith("-"):
        from knarr.cli.globals import take_globals

        try:
            words, wants_help = take_globals(cli, words)
        except BadFlag as error:
            raise Exit(
                BAD_FLAG,
                f"{error}\n\nUsage:  {PROGRAM} [OPTIONS] COMMAND [ARG...]\n\n"
                f"Run '{PROGRAM} --help' for more information",
            ) from error
        if wants_help:
            words = ["help", *words]
    if not words or words[0] == "help":
        return _help(cli, words[1:])
    if words[0] == "__complete":
        from knarr.cli.completing import candidates

        cli.out.write(candidates(cli, words[1:]))
        return 0
    if words[0] in GROUP_FLAGS:
        words = _take_group_flags(cli, words[0], words[1:])
    path, called, rest = find(words)
    cli.called = called
    if path in GROUPS:
        return _group(cli, path, rest)
    command = load(path)
    if command is None:
        raise _unknown(called)
    return _run(cli, command, rest)


def _take_group_flags(cli: Cli, group: str, words: list[str]) -> list[str]:
    """Keep a group's own flags for its commands; the words from the command on."""
    from knarr.cli.parse import parse

    options = group_options(group)
    try:
        parsed = parse(words, options, interspersed=False)
    except BadFlag as error:
        raise Exit(
            _bad_flag(group),
            f"{error}\n\nUsage:  {PROGRAM} {group} [OPTIONS] COMMAND\n\n"
            f"Run '{PROGRAM} {group} --help' for more information",
        ) from error
    cli.group = parsed.values
    if parsed.values.get("version"):
        return [group, "version"]
    return [group, "--help"] if parsed.help else [group, *parsed.arguments]


def _run(cli: Cli, command: Command, words: list[str]) -> int:
    from knarr.cli.parse import parse

    cli.command = command
    try:
        parsed = parse(words, command.options, interspersed=command.interspersed)
    except BadFlag as error:
        raise Exit(_bad_flag(command.path), _with_usage(cli, command, str(error))) from error
    for warning in parsed.warnings:
        cli.warn(warning)
    if parsed.help:
        return _help(cli, cli.called.split(" "))
    if problem := arguments_problem(command, len(parsed.arguments)):
        sentence = f"{PROGRAM}: '{cli.name}' {problem}"
        raise BadArguments(_with_usage(cli, command, sentence))
    cli.given = frozenset(parsed.values)
    _check_versions(cli, command)
    return command.call(cli, parsed.values, parsed.arguments)


def _bad_flag(path: str) -> int:
    """Compose is a program of its own at Docker's, and ends as that one does."""
    return FAILED if path.partition(" ")[0] == "compose" else BAD_FLAG


def arguments_problem(command: Command, count: int) -> str:
    """What is wrong with the number of arguments, in Docker's words; empty when nothing is."""
    least, most = command.least, command.most
    if count >= least and (most is None or count <= most):
        return ""
    if most == 0:
        return "accepts no arguments"
    if most == least:
        return f"requires {least} {_arguments(least)}"
    if least and most:
        return f"requires at least {least} and at most {most} {_arguments(most)}"
    if count < least:
        return f"requires at least {least} {_arguments(least)}"
    return f"requires at most {most} {_arguments(most or 0)}"


def _arguments(count: int) -> str:
    return "argument" if count == 1 else "arguments"


def _check_versions(cli: Cli, command: Command) -> None:
    if command.since:
        cli.needs(command.since, cli.name)
    for option in command.options:
        if option.flag.since and option.parameter in cli.given:
            cli.needs(option.flag.since, f'"--{option.name}"')
    foreign = [o.name for o in command.options if o.flag.windows and o.parameter in cli.given]
    if foreign:
        raise Unsupported(
            "\n".join(
                f'"--{name}" is only supported on a Docker daemon running on windows, '
                "but the Docker daemon is running on linux"
                for name in foreign
            )
        )


def _with_usage(cli: Cli, command: Command, sentence: str) -> str:
    from knarr.cli.help import usage_line

    return (
        f"{sentence}\n\nUsage:  {usage_line(command, cli.name)}\n\n"
        f"Run '{cli.name} --help' for more information"
    )


def _unknown(called: str) -> Exit:
    group, space, _ = called.partition(" ")
    known = f"{PROGRAM} {group}" if space else PROGRAM
    usage = f"Usage:  {known}\n\n" if space else ""
    return Exit(
        FAILED,
        f"{PROGRAM}: unknown command: {PROGRAM} {called}\n\n"
        f"{usage}Run '{known} --help' for more information",
    )


def _group(cli: Cli, group: str, words: list[str]) -> int:
    from knarr.cli.help import group_help
    from knarr.cli.parse import parse

    try:
        parsed = parse(words, ())
    except BadFlag as error:
        raise Exit(
            BAD_FLAG,
            f"{error}\n\nUsage:  {PROGRAM} {group} COMMAND\n\n"
            f"Run '{PROGRAM} {group} --help' for more information",
        ) from error
    (cli.out if parsed.help else cli.err).write(f"{group_help(group)}\n")
    return 0


def _help(cli: Cli, words: list[str]) -> int:
    from knarr.cli.help import command_help, group_help, root_help

    words = [word for word in words if not word.startswith("-")]
    if not words:
        cli.print(root_help())
        return 0
    path, called, _ = find(words)
    if path in GROUPS:
        cli.print(group_help(path))
        return 0
    if path in PROGRAMS:
        cli.out.flush()
        os.execv(sys.executable, [sys.executable, "-m", "knarr", *path.split(" "), "--help"])
    command = load(path)
    if command is None:
        raise Exit(FAILED, f"unknown help topic: {' '.join(words)}")
    cli.print(command_help(command, f"{PROGRAM} {called}"))
    return 0
