"""The solver on real layers: what is done, what is not done again, and what comes out."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from knarr.build.graph import Vertex
from knarr.build.ops import (
    BindMount,
    CacheMount,
    Context,
    Copy,
    InlineFile,
    InlineFiles,
    MakeDirectory,
    Merge,
    Scratch,
    SecretMount,
    Selection,
    Sharing,
    Squash,
    SshMount,
    TmpfsMount,
)
from knarr.build.runner import BoundPath, MemoryPath, Output, Process
from knarr.build.session import StepFailed
from knarr.errors import Forbidden, NotFound
from knarr.snapshot.tar import members
from support.processes import Chrooted, Fake, Pretended
from support.trees import listed, tree
from support.workshop import Workshop, contexts, copy, run, sh

pytestmark = pytest.mark.needs("root", "overlay", "busybox")


async def test_a_command_leaves_a_layer(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    result = await workshop.solve(sh("echo hi; echo made > /made; rm /etc/group", workshop.base))
    assert workshop.heard.text == "hi\n"
    assert listed(workshop.archive(result)) == {
        "etc/": "dir 755",
        "etc/.wh.group": " 600",
        "made": "made\n 644",
    }


async def test_nothing_changed_is_no_layer(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    result = await workshop.solve(sh("touch /tmp/x; rm /tmp/x; cat /etc/passwd", workshop.base))
    assert len(result.diff_ids) == 1


async def test_what_was_done_is_not_done_again(workshop: Workshop) -> None:
    step = sh("true", sh("echo", workshop.base))
    await workshop.solve(step)
    assert len(workshop.runner.asked) == 2
    await workshop.solve(step)
    assert len(workshop.runner.asked) == 2
    assert workshop.heard.lines == ["cached /bin/sh -c true"]


async def test_after_a_restart_the_cache_is_still_there(workshop: Workshop) -> None:
    step = sh("true", workshop.base)
    await workshop.solve(step)
    workshop.new_solver()
    await workshop.solve(step)
    assert len(workshop.runner.asked) == 1


async def test_without_the_cache_everything_is_done_anew(workshop: Workshop) -> None:
    first, second = (under := sh("a", workshop.base)), sh("b", under)
    await workshop.solve(second)
    await workshop.solve(second, no_cache=True)
    assert workshop.runner.commands == ["/bin/sh -c a", "/bin/sh -c b"] * 2
    await workshop.solve(second, uncached=frozenset({second.digest}))
    assert workshop.runner.commands[4:] == ["/bin/sh -c b"]
    assert first.digest != second.digest


async def test_a_step_whose_input_came_out_the_same_is_not_done_again(workshop: Workshop) -> None:
    workshop.new_solver(pretended := Pretended(_writes("same")))
    await workshop.solve(sh("after", sh("one way", workshop.base)))
    await workshop.solve(sh("after", sh("other way", workshop.base)))
    assert pretended.commands == ["/bin/sh -c one way", "/bin/sh -c after", "/bin/sh -c other way"]


def _writes(text: str, name: str = "made") -> Fake:
    async def write(process: Process, output: Output) -> int:
        (process.rootfs / name).write_text(text)
        return 0

    return write


async def test_a_touched_file_does_not_miss_and_a_changed_one_does(workshop: Workshop) -> None:
    step = sh("make", copy((".",), "/src", workshop.base))
    await workshop.solve(step, contexts=contexts(tree({"a": "1", "ignored/b": "2"})))
    touched = tree({"a": "1", "ignored/b": "2"})
    entry = touched.entries["a"]
    touched.entries["a"] = entry._replace(member=entry.member._replace(mtime_ns=10**18))
    await workshop.solve(step, contexts=contexts(touched))
    assert len(workshop.runner.asked) == 1
    await workshop.solve(step, contexts=contexts(tree({"a": "2", "ignored/b": "2"})))
    assert len(workshop.runner.asked) == 2


async def test_only_what_a_copy_takes_counts(workshop: Workshop) -> None:
    step = copy(("a",), "/a", workshop.base)
    await workshop.solve(step, contexts=contexts(tree({"a": "1", "b": "1"})))
    await workshop.solve(step, contexts=contexts(tree({"a": "1", "b": "2"})))
    assert workshop.heard.lines == ["cached copy a to /a"]


async def test_a_missing_file_fails_at_its_copy(workshop: Workshop) -> None:
    with pytest.raises(NotFound, match="stat nope: file does not exist"):
        await workshop.solve(copy(("nope",), "/a", workshop.base), contexts=contexts(tree({})))
    assert workshop.heard.lines == ["failed copy nope to /a"]


async def test_all_files_of_a_stage_of_several_layers_are_copied(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    stage = sh("echo 2 > /two", sh("echo 1 > /one", workshop.base))
    result = await workshop.solve(copy((".",), "/in/", Vertex(Scratch()), stage))
    assert {"in/one", "in/two", "in/bin/busybox"} <= listed(workshop.archive(result)).keys()


async def test_files_of_another_stage_are_copied_with_their_owners(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    stage = sh(
        "mkdir /out && echo x > /out/x && chown 7:8 /out/x && ln /out/x /out/y && ln -s x /out/z",
        workshop.base,
    )
    result = await workshop.solve(copy(("out",), "/in/", Vertex(Scratch()), stage))
    assert listed(workshop.archive(result)) == {
        "in/": "dir 755",
        "in/x": "x\n 644 7:8",
        "in/y": "== in/x 7:8",
        "in/z": "-> x",
    }


async def test_independent_steps_run_at_the_same_time(workshop: Workshop) -> None:
    gate = asyncio.Barrier(3)

    async def meet(process: Process, output: Output) -> int:
        async with asyncio.timeout(5):
            await gate.wait()
        (process.rootfs / process.argv[-1]).write_text("x")
        return 0

    workshop.new_solver(Pretended(meet))
    stages = [sh(name, workshop.base) for name in ("a", "b", "c")]
    top = Vertex(Merge(), tuple(stages))
    assert len((await workshop.solve(top)).diff_ids) == 6


async def test_two_builds_do_a_step_once(workshop: Workshop) -> None:
    gate = asyncio.Event()

    async def wait(process: Process, output: Output) -> int:
        await gate.wait()
        return 0

    workshop.new_solver(pretended := Pretended(wait))
    step = sh("slow", workshop.base)
    both = asyncio.gather(workshop.solve(step), workshop.solve(step))
    while not pretended.asked:
        await asyncio.sleep(0.01)
    gate.set()
    one, other = await both
    assert one == other
    assert len(pretended.asked) == 1


async def test_a_failing_command_is_told_and_remembered_by_nobody(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    step = sh("echo oops >&2; exit 3", workshop.base)
    for _ in range(2):
        with pytest.raises(StepFailed) as caught:
            await workshop.solve(step)
        assert caught.value.code == 3
        assert str(caught.value) == (
            "The command '/bin/sh -c echo oops >&2; exit 3' returned a non-zero code: 3"
        )
        assert "failed /bin/sh -c echo oops >&2; exit 3" in workshop.heard.lines


async def test_a_step_that_never_ends_is_stopped(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    with pytest.raises(StepFailed, match=r"was stopped: it took longer than 0\.2 seconds"):
        await workshop.solve(sh("sleep 100", workshop.base), timeout_s=0.2)
    assert not _left_behind(workshop)


async def test_a_cancelled_build_leaves_nothing_behind(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    step = sh("echo up; sleep 100", workshop.base)
    building = asyncio.ensure_future(workshop.solve(step))
    while "up" not in workshop.heard.text:
        await asyncio.sleep(0.01)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert not _left_behind(workshop)


def _left_behind(workshop: Workshop) -> list[str]:
    mounts = Path("/proc/self/mountinfo").read_text()
    found = [line for line in mounts.splitlines() if os.fspath(workshop.folder) in line]
    found += [path.name for path in (workshop.folder / "run" / "builds").iterdir()]
    found += [path.name for path in (workshop.folder / "data" / "build" / "tmp").iterdir()]
    return found


async def test_directories_are_made_only_where_they_are_missing(workshop: Workshop) -> None:
    made = await workshop.solve(Vertex(MakeDirectory(path="/a/b", owner="7"), (workshop.base,)))
    assert listed(workshop.archive(made)) == {"a/": "dir 755 7:7", "a/b/": "dir 755 7:7"}
    there = await workshop.solve(Vertex(MakeDirectory(path="/etc"), (workshop.base,)))
    assert len(there.diff_ids) == 1


async def test_a_linked_copy_is_reused_on_another_base(workshop: Workshop) -> None:
    layer = copy(("a",), "/a", Vertex(Scratch()))
    files = contexts(tree({"a": "1"}))
    first = await workshop.solve(Vertex(Merge(), (workshop.base, layer)), contexts=files)
    other = sh("x", workshop.base)
    workshop.new_solver(Pretended(_writes("x")))
    second = await workshop.solve(Vertex(Merge(), (other, layer)), contexts=files)
    assert first.diff_ids[-1] == second.diff_ids[-1]
    assert "cached copy a to /a" in workshop.heard.lines


async def test_heredocs_are_files(workshop: Workshop) -> None:
    script = Vertex(
        InlineFiles(files=(InlineFile(name="s", text="#!/bin/sh\necho mine\n", mode=0o755),))
    )
    workshop.new_solver(Chrooted())
    step = run(
        "/dev/pipes/s",
        on=workshop.base,
        inputs=(script,),
        mounts=(BindMount(target="/dev/pipes", input=1),),
    )
    result = await workshop.solve(step)
    assert workshop.heard.text == "mine\n"
    assert len(result.diff_ids) == 1, "what was made to mount on does not stay"


async def test_what_is_written_to_a_bind_mount_is_thrown_away(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    mount = BindMount(target="/src", input=1, source="/d", read_only=False)
    step = sh(
        "cat /src/x; echo new > /src/x; cat /src/x; ls /src",
        workshop.base, inputs=(Vertex(Context()),), mounts=(mount,),
    )  # fmt: skip
    files = contexts(tree({"d/x": "old\n", "e": "not seen"}))
    result = await workshop.solve(step, contexts=files)
    assert workshop.heard.text == "old\nnew\nx\n"
    assert len(result.diff_ids) == 1
    await workshop.solve(step, contexts=files)
    assert workshop.heard.lines == [f"cached {step.op.describe()}"]


async def test_a_read_only_bind_mount_cannot_be_written(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    stage = sh("mkdir /o && echo s > /o/s", workshop.base)
    step = sh(
        "cat /o/s; echo x > /o/s || echo refused",
        workshop.base, inputs=(stage,), mounts=(BindMount(target="/o", input=1, source="/o"),),
    )  # fmt: skip
    await workshop.solve(step)
    assert "s\nrefused\n" in workshop.heard.text.replace(
        "/bin/sh: can't create /o/s: Read-only file system\n", ""
    )


async def test_a_cache_mount_is_kept_and_is_no_part_of_the_layer(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    mount = CacheMount(target="/root/.cache", id="c", mode=0o700, uid=3, gid=4)
    first = sh(
        "echo 1 > /root/.cache/n; stat -c %a:%u:%g /root/.cache", workshop.base, mounts=(mount,)
    )
    result = await workshop.solve(first)
    assert workshop.heard.text == "700:3:4\n"
    assert len(result.diff_ids) == 1
    await workshop.solve(sh("cat /root/.cache/n", workshop.base, mounts=(mount,)))
    assert workshop.heard.text == "700:3:4\n1\n"


async def test_a_cache_may_begin_with_files_of_a_stage(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    stage = sh("mkdir -p /warm && echo w > /warm/w", workshop.base)
    mount = CacheMount(target="/c", id="c", input=1, source="/warm")
    await workshop.solve(sh("cat /c/w", workshop.base, inputs=(stage,), mounts=(mount,)))
    assert workshop.heard.text == "w\n"


@pytest.mark.parametrize(
    ("sharing", "at_once", "folders"),
    [(Sharing.SHARED, 2, 1), (Sharing.PRIVATE, 2, 2), (Sharing.LOCKED, 1, 1)],
)
async def test_caches_are_shared_as_they_say(
    workshop: Workshop, sharing: Sharing, at_once: int, folders: int
) -> None:
    async def linger(process: Process, output: Output) -> int:
        await asyncio.sleep(0.05)
        return 0

    workshop.new_solver(pretended := Pretended(linger))
    mount = CacheMount(target="/c", id="c", sharing=sharing)
    steps = [sh(name, workshop.base, mounts=(mount,)) for name in "ab"]
    await workshop.solve(Vertex(Merge(), tuple(steps)))
    assert pretended.most_at_once == at_once
    sources = {
        mount.source
        for each in pretended.asked
        for mount in each.mounts
        if isinstance(mount, BoundPath)
    }
    assert len(sources) == folders


async def test_a_secret_is_seen_by_the_step_and_by_nothing_else(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    mount = SecretMount(id="t", target="/run/secrets/t", env="T", mode=0o440, uid=5, gid=6)
    step = sh(
        "cat /run/secrets/t; stat -c :%a:%u:%g: /run/secrets/t; echo $T",
        workshop.base,
        mounts=(mount,),
    )
    result = await workshop.solve(step, secrets={"t": b"s3cr3t-0815"})
    assert workshop.heard.text == "s3cr3t-0815:440:5:6:\ns3cr3t-0815\n"
    assert len(result.diff_ids) == 1
    assert not _files_with(workshop.folder, b"s3cr3t-0815")
    await workshop.solve(step, secrets={"t": b"another"})
    assert workshop.heard.lines[0].startswith("cached")


def _files_with(folder: Path, content: bytes) -> list[str]:
    """What holds ``content``; some of it may be on its way out while we look."""
    found = []
    for path, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                if content in Path(path, name).read_bytes():
                    found.append(f"{path}/{name}")
    return found


async def test_a_secret_that_must_be_there(workshop: Workshop) -> None:
    mount = SecretMount(id="t", target="/t", required=True)
    with pytest.raises(NotFound, match="secret t: not found"):
        await workshop.solve(sh("x", workshop.base, mounts=(mount,)))
    await workshop.solve(sh("x", workshop.base, mounts=(SecretMount(id="t", target="/t"),)))
    assert workshop.runner.asked[-1].mounts == ()


async def test_an_agent_that_must_be_there(workshop: Workshop) -> None:
    mount = SshMount(target="/agent", required=True)
    with pytest.raises(NotFound, match="unset ssh forward key default"):
        await workshop.solve(sh("x", workshop.base, mounts=(mount,)))
    await workshop.solve(sh("x", workshop.base, mounts=(mount,)), agents={"default": Path("/s")})
    assert workshop.runner.asked[-1].mounts == (
        BoundPath(source=Path("/s"), target="/agent", read_only=False),
    )


async def test_what_is_asked_of_the_runner(workshop: Workshop) -> None:
    step = run(
        "a", "b", on=workshop.base, cwd="/d", user="u:g", network="none", hostname="h",
        mounts=(TmpfsMount(target="/t", size_bytes=9),),
    )  # fmt: skip
    await workshop.solve(step, proxies={"http_proxy": "p", "PATH": "no"}, hosts={"db": "10.0.0.1"})
    (process,) = workshop.runner.asked
    assert process.argv == ("a", "b")
    assert process.env == ("PATH=/bin", "http_proxy=p")
    assert (process.cwd, process.user, process.network, process.hostname) == (
        "/d",
        "u:g",
        "none",
        "h",
    )
    assert process.mounts == (MemoryPath(target="/t", size_bytes=9),)
    assert process.hosts == {"db": "10.0.0.1"}


async def test_what_the_client_does_not_allow_is_refused(workshop: Workshop) -> None:
    for fields, entitlement in (
        ({"network": "host"}, "network.host"),
        ({"insecure": True}, "security.insecure"),
    ):
        with pytest.raises(Forbidden, match=f"{entitlement} is not allowed"):
            await workshop.solve(run("x", on=workshop.base, **fields), allowed=frozenset())


async def test_the_same_inputs_give_the_same_layers_at_another_time(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.new_solver(Chrooted())
    step = sh(
        "mkdir /m; echo x > /m/x; touch /etc/new",
        copy(("a",), "/a", workshop.base),
    )
    files = contexts(tree({"a": "1"}))
    first = await workshop.solve(step, contexts=files)
    await asyncio.sleep(1.1)
    second = await workshop.solve(step, contexts=files, no_cache=True)
    assert first == second


async def test_the_epoch_is_the_latest_time_there_is(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    result = await workshop.solve(sh("echo x > /x", workshop.base), epoch_ns=5 * 10**9)
    assert {each.mtime_ns for each in members(workshop.archive(result))} == {5 * 10**9}
    await workshop.solve(sh("echo x > /x", workshop.base), epoch_ns=6 * 10**9)
    assert workshop.heard.lines[0].startswith("started")


async def test_compiled_python_is_told_the_time_of_its_source(workshop: Workshop) -> None:
    import struct

    async def compiles(process: Process, output: Output) -> int:
        import time

        now = int(time.time())
        header = b"\xa7\r\r\n" + struct.pack("<LLL", 0, now, 3)
        (process.rootfs / "m.pyc").write_bytes(header + b"code")
        return 0

    workshop.new_solver(Pretended(compiles))
    result = await workshop.solve(sh("python", workshop.base))
    content = workshop.file(result, "m.pyc").read_bytes()
    assert struct.unpack_from("<L", content, 8) == (1_600_000_000,)


async def test_layers_are_squashed_into_one(workshop: Workshop) -> None:
    workshop.new_solver(Chrooted())
    top = sh("echo 1 > /a; mkdir /d; echo x > /d/x; rm /etc/group", workshop.base)
    top = sh("echo 2 > /a; rm -r /d; mkdir /d; echo y > /d/y; echo g > /etc/group", top)
    result = await workshop.solve(Vertex(Squash(), (workshop.base, top)))
    assert len(result.diff_ids) == 2
    assert listed(workshop.archive(result)) == {
        "a": "2\n 644",
        "d/": "dir 755",
        "d/.wh..wh..opq": " 600",
        "d/y": "y\n 644",
        "etc/": "dir 755",
        "etc/group": "g\n 644",
    }


async def test_what_changed_is_named(workshop: Workshop) -> None:
    from knarr.build import keys

    step = copy((".",), "/x", workshop.base)
    await workshop.solve(step, contexts=contexts(tree({"a": "1"})))
    before = dict(workshop.heard.keys["copy . to /x"])
    await workshop.solve(step, contexts=contexts(tree({"a": "2"})))
    assert keys.explained(before, workshop.heard.keys["copy . to /x"]) == (
        "the files it copies changed"
    )


async def test_a_named_context_is_another_tree(workshop: Workshop) -> None:
    step = copy(("n",), "/n", workshop.base, Vertex(Context(name="other")))
    trees = {"context": tree({}), "other": tree({"n": "N"})}
    result = await workshop.solve(step, contexts=trees)
    assert workshop.file(result, "n").read_text() == "N"
    with pytest.raises(NotFound, match="no context other"):
        await workshop.solve(copy(("m",), "/m", workshop.base, Vertex(Context(name="other"))))


async def test_archives_are_unpacked_by_add(workshop: Workshop) -> None:
    from support.trees import tar

    raw = tar({"p/q": "Q"}, uid=3)
    made = tree({"x.tar": "?"})
    entry = made.entries["x.tar"]
    made.data = raw
    made.entries["x.tar"] = entry._replace(
        member=entry.member._replace(size=len(raw), stored=len(raw), start=0)
    )
    op = Copy(selections=(Selection(input=1, paths=("x.tar",), unpack=None),), destination="/opt")
    result = await workshop.solve(
        Vertex(op, (workshop.base, Vertex(Context()))), contexts=contexts(made)
    )
    assert listed(workshop.archive(result)) == {
        "opt/": "dir 755", "opt/p/": "dir 755", "opt/p/q": "Q 644 3:0",
    }  # fmt: skip
