"""Docker's words for what crun 1.8 and runc 1.1 write into their logs."""

import json

import pytest

from knarr.runtime.failures import start_failure

RUN = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)
EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "
RUNC_RUN = "runc run failed: unable to start container process: "

CASES = [
    (
        "crun: no such program in PATH",
        "executable file `nonesuch` not found in $PATH: No such file or directory",
        "nonesuch",
        'exec: "nonesuch": executable file not found in $PATH',
        127,
    ),
    (
        "crun: no such file",
        "executable file `/nonesuch` not found in $PATH: No such file or directory",
        "/nonesuch",
        'exec: "/nonesuch": stat /nonesuch: no such file or directory',
        127,
    ),
    (
        "crun: not executable",
        "open executable: Permission denied",
        "/bin/plain",
        'exec: "/bin/plain": permission denied',
        126,
    ),
    (
        "crun: a folder",
        "open executable: Operation not permitted",
        "/etc",
        'exec: "/etc": is a directory',
        126,
    ),
    (
        "crun: a link to itself",
        "open executable: Too many levels of symbolic links",
        "self",
        'exec: "self": too many levels of symbolic links',
        128,
    ),
    (
        "crun: no such working directory",
        "chdir `/nodir`: No such file or directory",
        "true",
        'chdir to cwd ("/nodir") set in config.json failed: no such file or directory',
        127,
    ),
    (
        "crun: neither a program nor a script",
        "exec: Exec format error",
        "/bin/garbage",
        'exec: "/bin/garbage": exec format error',
        128,
    ),
    (
        "runc: no such program in PATH",
        RUNC_RUN + 'exec: "nonesuch": executable file not found in $PATH',
        "nonesuch",
        'exec: "nonesuch": executable file not found in $PATH',
        127,
    ),
    (
        "runc: no such file",
        RUNC_RUN + 'exec: "/nonesuch": stat /nonesuch: no such file or directory',
        "/nonesuch",
        'exec: "/nonesuch": stat /nonesuch: no such file or directory',
        127,
    ),
    (
        "runc: not executable",
        RUNC_RUN + 'exec: "/bin/plain": permission denied',
        "/bin/plain",
        'exec: "/bin/plain": permission denied',
        126,
    ),
    ("anything else", "creating the mount failed", "true", "creating the mount failed", 128),
]


@pytest.mark.parametrize(
    ("said", "program", "detail", "code"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_words_and_the_code_are_dockers(
    said: str, program: str, detail: str, code: int
) -> None:
    log = json.dumps({"level": "error", "msg": said, "time": "2026-01-01T00:00:00Z"})
    failure = start_failure(log, program, further=False)
    assert (str(failure), failure.exit_code) == (f"{RUN}{detail}: unknown", code)


def test_a_further_process_has_words_of_its_own() -> None:
    said = 'exec failed: unable to start container process: exec: "x": permission denied'
    failure = start_failure(json.dumps({"level": "error", "msg": said}), "x", further=True)
    assert str(failure) == f'{EXEC}exec: "x": permission denied: unknown'


def test_warnings_are_not_the_reason() -> None:
    log = '{"level":"error","msg":"the reason"}\n{"level":"warning","msg":"cgroups in hybrid mode"}'
    assert str(start_failure(log, "true", further=False)) == f"{RUN}the reason: unknown"


def test_a_runtime_that_says_nothing() -> None:
    assert "the runtime gave no reason" in str(start_failure("", "true", further=False))


def test_a_runtime_that_does_not_write_json() -> None:
    assert "segfault" in str(start_failure("segfault\n", "true", further=False))
