"""What outlives whom: containers the daemon and, as long as one of the two is there, the keeper."""

import asyncio
import os
import pickle
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from contract.runtime import until_logged, until_nothing_is_left
from knarr.errors import KnarrError
from knarr.keeper.wire import new_socket
from knarr.kernel.process import exit_code_of, open_process
from knarr.runtime import Keeper, Launch
from support.boxes import Boxes, read_all

pytestmark = pytest.mark.needs("namespaces", "busybox", "crun")

COUNT = ("sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exit 4")
SLOWLY = ("sh", "-c", "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 4")

# A daemon: it starts what is asked for, and then hears exits until it is killed.
DAEMON = """
import asyncio, pickle, sys
from knarr.runtime import Keeper, Launch

async def main():
    run_root, launches = pickle.load(sys.stdin.buffer)
    keeper = Keeper(run_root)
    for launch in launches:
        await keeper.start(launch)
    print("up", flush=True)
    async for _ in keeper.exits():
        await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def runtime_name() -> str:
    return "crun"


def kill(pid: int) -> None:
    """SIGKILL, and wait until it is over: not a child of ours, so by its pidfd."""
    handle = open_process(pid)
    assert handle is not None
    os.kill(pid, signal.SIGKILL)
    select.select([handle], [], [], 10)
    os.close(handle)


async def killed_daemon(boxes: Boxes, *commands: tuple[str, ...]) -> list[str]:
    """Start containers by another process, and kill that with SIGKILL."""
    launches = [boxes.launch(boxes.spec(*command)) for command in commands]
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with daemon:
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        daemon.stdin.write(pickle.dumps((boxes.keeper.run_root, launches)))
        daemon.stdin.close()
        assert await asyncio.to_thread(daemon.stdout.readline) == b"up\n"
        daemon.kill()
    return [launch.id for launch in launches]


def numbered(text: str) -> list[int]:
    return [int(line.removeprefix("line ")) for line in text.splitlines()]


async def test_a_killed_daemon_costs_the_log_no_byte_and_no_exit(boxes: Boxes) -> None:
    ids = await killed_daemon(boxes, COUNT, SLOWLY)
    await asyncio.sleep(0.1)
    await boxes.keeper.ensure()
    exits = [await boxes.exit_of(container_id) for container_id in ids]
    assert [exit_.code for exit_ in exits] == [4, 4]
    assert numbered(boxes.log(ids[0])) == list(range(3000))
    assert numbered(boxes.log(ids[1])) == list(range(60))


async def test_the_next_daemon_is_told_what_runs(boxes: Boxes) -> None:
    (container_id,) = await killed_daemon(boxes, ("sleep", "1000"))
    (running,) = await boxes.keeper.ensure()
    assert (running.id, running.exec_id) == (container_id, None)
    assert boxes.keeper.processes(container_id) == (running.pid,)
    await boxes.keeper.signal(container_id, signal.SIGKILL)
    assert (await boxes.exit_of(container_id)).code == 137


async def test_the_next_daemon_is_told_what_was_only_being_started(
    boxes: Boxes, tmp_path: Path
) -> None:
    slow, begun, go = tmp_path / "slow", tmp_path / "begun", tmp_path / "go"
    slow.write_text(
        f"#!/bin/sh\ntouch {begun}\nuntil [ -e {go} ]; do sleep 0.05; done\n"
        f'exec {boxes.runtime.program} "$@"\n'
    )
    slow.chmod(0o755)
    launch = boxes.launch(boxes.spec("sleep", "1000"))
    starting = asyncio.create_task(
        boxes.keeper.start(replace(launch, runtime=replace(boxes.runtime, program=str(slow))))
    )
    while not begun.exists():
        await asyncio.sleep(0.01)
    starting.cancel()
    await boxes.keeper.close()
    again = asyncio.create_task(boxes.keeper.ensure())
    await asyncio.sleep(0.1)
    assert not again.done()
    go.touch()
    (running,) = await again
    assert running.id == launch.id
    await boxes.keeper.signal(launch.id, signal.SIGKILL)
    assert (await boxes.exit_of(launch.id)).code == 137


async def test_an_exit_is_told_until_it_is_known(boxes: Boxes) -> None:
    running = await boxes.start("sh", "-c", "exit 6")
    for _ in range(2):
        async for exit_ in boxes.keeper.exits():
            assert (exit_.id, exit_.code) == (running.id, 6)
            break  # never asks for the next: this one does not count as known
        await boxes.keeper.close()
    await boxes.exit_of(running.id)
    await boxes.keeper.signal((await boxes.start("sleep", "1000")).id, signal.SIGKILL)
    await boxes.forget()
    await boxes.keeper.ensure()
    assert running.id not in boxes.keeper.untold_exits()


async def test_a_killed_keeper_costs_neither_the_container_nor_its_log_nor_its_exit(
    boxes: Boxes,
) -> None:
    running = await boxes.start(*SLOWLY)
    await until_logged(boxes, running.id, "5\n")
    kill(boxes.keeper.pid)
    exit_ = await boxes.exit_of(running.id)
    assert numbered(boxes.log(running.id)) == list(range(60))
    assert exit_.code == (4 if remembers_exits() else 137)
    await until_nothing_is_left(boxes, running.id)


async def test_a_container_that_ends_with_its_keeper_is_accounted_for(boxes: Boxes) -> None:
    running = await boxes.start("sh", "-c", "echo last words; read x < /tmp; sleep 1000")
    await until_logged(boxes, running.id, "last words")
    kill(boxes.keeper.pid)
    kill(running.pid)
    assert (await boxes.exit_of(running.id)).code == 137
    await until_nothing_is_left(boxes, running.id)


async def test_a_network_namespace_outlives_the_keeper_by_its_processes(boxes: Boxes) -> None:
    container_id, network, launch = await networked(boxes)
    running = await boxes.keeper.start(launch)
    inside = os.stat(f"/proc/{running.pid}/ns/net").st_ino
    link = boxes.keeper.run_root / "netns" / container_id
    assert link.stat().st_ino == os.stat(network).st_ino == inside
    other, gone, _ = await networked(boxes)  # nobody lives there
    kill(boxes.keeper.pid)
    await boxes.keeper.ensure()
    assert link.stat().st_ino == inside
    again = await boxes.keeper.open_sandbox(container_id)
    again.netlink.close()
    assert os.stat(again.path).st_ino == inside
    assert not Path(gone).exists()
    with pytest.raises(KnarrError, match="is gone"):
        await boxes.keeper.open_sandbox(other)
    for each in (container_id, other):
        await boxes.keeper.remove_sandbox(each)
    assert os.listdir(link.parent) == []


async def networked(boxes: Boxes) -> tuple[str, str, Launch]:
    """A launch in a network namespace of the keeper's that has its name, and the path of that."""
    launch = boxes.launch(boxes.spec("sleep", "1000"))
    sandbox = await boxes.keeper.make_sandbox(launch.id)
    sandbox.netlink.close()
    linux = launch.spec.linux
    joined = tuple(
        msgspec.structs.replace(each, path=sandbox.path) if each.type == "network" else each
        for each in linux.namespaces
    )
    spec = msgspec.structs.replace(
        launch.spec, linux=msgspec.structs.replace(linux, namespaces=joined)
    )
    return launch.id, sandbox.path, replace(launch, spec=spec)


async def test_a_namespace_of_an_earlier_version_is_found_and_removed(boxes: Boxes) -> None:
    """knarr 0.1 kept them by bind mounts, and they outlive its keeper."""
    await boxes.keeper.ensure()
    path = boxes.keeper.run_root / "netns/old"
    path.touch()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    there = path.stat().st_ino
    found = await boxes.keeper.open_sandbox("old")
    found.netlink.close()
    assert os.stat(found.path).st_ino == there
    await boxes.keeper.remove_sandbox("old")
    assert os.listdir(path.parent) == []


async def test_a_terminal_outlives_the_keeper(boxes: Boxes) -> None:
    spec = boxes.spec("sh", "-c", "echo up; read line; echo got $line; stty size", terminal=True)
    launch = boxes.launch(spec, stdin=True)
    await boxes.keeper.start(launch)
    await until_logged(boxes, launch.id, "up")
    kill(boxes.keeper.pid)
    attached = await boxes.attach(launch.id, stdin=True, terminal=True)
    await boxes.keeper.resize(launch.id, rows=12, columns=34)
    await asyncio.get_running_loop().sock_sendall(attached, b"words\r")
    assert (await read_all(attached)).endswith(b"got words\r\n12 34\r\n")


async def test_with_both_killed_containers_are_still_found(boxes: Boxes) -> None:
    ids = await killed_daemon(boxes, ("sleep", "1000"), ("sleep", "1000"))
    await boxes.keeper.ensure()
    await boxes.keeper.close()  # nor do we keep anything of them
    kill(boxes.keeper.pid)
    running = {each.id: each for each in await boxes.keeper.ensure()}
    assert set(running) == set(ids)
    kill(running[ids[0]].pid)
    assert (await boxes.exit_of(ids[0])).code == 137
    await boxes.keeper.signal(ids[1], signal.SIGKILL)
    assert (await boxes.exit_of(ids[1])).code == 137


async def test_a_keeper_that_ends_before_it_answers_is_followed_by_another(boxes: Boxes) -> None:
    boxes.keeper.run_root.mkdir()
    folder = os.open(boxes.keeper.run_root, os.O_PATH)
    with new_socket() as dying:
        dying.bind(f"/proc/self/fd/{folder}/keeper.sock")
        os.close(folder)
        dying.listen()
        meeting = asyncio.create_task(boxes.keeper.ensure())
        (await asyncio.to_thread(dying.accept))[0].close()
    assert await meeting == ()


async def test_there_is_one_keeper_for_a_run_folder(boxes: Boxes) -> None:
    others = [Keeper(boxes.keeper.run_root) for _ in range(5)]
    await asyncio.gather(*(other.ensure() for other in others))
    for other in others:
        await other.close()
    found = subprocess.run(
        ["pgrep", "-fc", f"keeper/__main__.py {boxes.keeper.run_root}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "1\n"


async def test_following_a_log_goes_on_when_the_keeper_is_killed(boxes: Boxes) -> None:
    running = await boxes.start(*SLOWLY)
    following = asyncio.create_task(boxes.follow(running.id))
    await until_logged(boxes, running.id, "5\n")
    kill(boxes.keeper.pid)
    await boxes.exit_of(running.id)
    assert numbered(await asyncio.wait_for(following, 10)) == list(range(60))


def remembers_exits() -> bool:
    """Whether this kernel tells how a process ended to who is not its parent."""
    pid = os.fork()
    if pid == 0:
        os._exit(9)
    handle = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    try:
        return exit_code_of(handle) == 9
    finally:
        os.close(handle)
