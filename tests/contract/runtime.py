"""What every OCI runtime does for us, by way of the keeper."""

import asyncio
import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from knarr.errors import Conflict, NotFound
from knarr.kernel import mount
from knarr.kernel.cgroups import Layout
from knarr.kernel.owners import Owners, Span, read_owners
from knarr.runtime import Launch, StartFailed
from knarr.spec.oci.runtime import Cpu, IdMapping, Memory, Namespace, Pids, Resources, Root, User
from support.boxes import Boxes, read_all, unframed

SLEEP = ("sleep", "1000")


class RuntimeContract:
    """A runtime's tests inherit this, and give the fixture ``boxes``."""

    # Start and exit.

    async def test_what_a_container_writes_is_in_its_log_and_its_exit_code_is_told(
        self, boxes: Boxes
    ) -> None:
        assert await boxes.run("sh", "-c", "echo hello; exit 7") == (7, "hello\n")

    async def test_a_signal_counts_128_and_its_number(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        await boxes.keeper.signal(running.id, signal.SIGKILL)
        assert (await boxes.exit_of(running.id)).code == 137

    async def test_a_signal_reaches_the_process(self, boxes: Boxes) -> None:
        running = await boxes.start(
            "sh", "-c", "trap 'echo caught; exit 3' TERM; echo up; sleep 1000 & wait"
        )
        await until_logged(boxes, running.id, "up")
        await boxes.keeper.signal(running.id, signal.SIGTERM)
        assert (await boxes.exit_of(running.id)).code == 3
        assert boxes.log(running.id) == "up\ncaught\n"

    async def test_a_container_is_its_own_world(self, boxes: Boxes) -> None:
        _, log = await boxes.run("sh", "-c", "echo $$; hostname >/dev/null; ls /; ip link")
        assert log.startswith("1\n")
        assert "bin\n" in log
        assert "eth" not in log

    async def test_the_hosts_null_device_stays_the_hosts(self, boxes: Boxes) -> None:
        before = os.stat("/dev/null")
        script = "read line || echo empty; echo lost >&0 && echo taken"
        _, log = await boxes.run("sh", "-c", script, user=User(uid=4321, gid=4321))
        assert log == "empty\ntaken\n"
        after = os.stat("/dev/null")
        assert after.st_uid != 4321
        assert (after.st_rdev, after.st_mode) == (before.st_rdev, before.st_mode)

    async def test_root_in_a_user_namespace_is_somebody_else_outside(self, boxes: Boxes) -> None:
        spans = (Span(0, 700_000, 1000),)
        owners = Owners(spans, spans)
        users = await boxes.keeper.user_namespace(owners)
        assert await boxes.keeper.user_namespace_path(owners) == users.path
        sandbox = await boxes.keeper.make_sandbox("mapped", owners)
        sandbox.netlink.close()
        script = "cat /proc/self/uid_map /proc/sys/net/ipv4/ip_unprivileged_port_start >/dev/stdout"
        try:
            with shown_mapped(boxes.rootfs, users.descriptor) as root:
                launch = mapped(boxes.launch(boxes.spec(*SLEEP)), root, users.path, sandbox.path)
                running = await boxes.keeper.start(launch)
                assert read_owners(running.pid) == owners
                assert os.stat(f"/proc/{running.pid}").st_uid == 700_000
                execution = replace(boxes.exec(running.id, "sh", "-c", script), owner=owners.root)
                attached = await boxes.attach(running.id, execution.exec_id)
                await boxes.keeper.exec(execution)
                said = unframed(await read_all(attached))[1].split()
            assert said == [b"0", b"700000", b"1000", b"80"]
        finally:
            await boxes.keeper.remove_sandbox("mapped")

    async def test_signals_that_python_ignores_are_not_ignored_inside(self, boxes: Boxes) -> None:
        _, log = await boxes.run("grep", "SigIgn", "/proc/self/status")
        real_time = 31  # bit of the first such signal; the C library keeps some of those
        assert int(log.split()[1], 16) % (1 << real_time) == 0

    async def test_the_same_container_starts_again(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("echo", "again"))
        for _ in range(3):
            assert (await boxes.keeper.run(launch)).code == 0
        assert boxes.log(launch.id) == "again\n" * 3

    async def test_a_running_container_is_not_started_twice(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec(*SLEEP))
        await boxes.keeper.start(launch)
        with pytest.raises(Conflict, match="already running"):
            await boxes.keeper.start(launch)

    @pytest.mark.parametrize(
        ("program", "code", "words"),
        [
            ("nonesuch", 127, 'exec: "nonesuch": executable file not found in $PATH: unknown'),
            ("/nonesuch", 127, 'exec: "/nonesuch": stat /nonesuch: no such file or directory'),
            ("/bin/plain", 126, 'exec: "/bin/plain": permission denied: unknown'),
            ("/etc", 126, 'exec: "/etc": '),
        ],
    )
    async def test_what_cannot_be_run_is_told_in_dockers_words(
        self, boxes: Boxes, program: str, code: int, words: str
    ) -> None:
        launch = boxes.launch(boxes.spec(program))
        with pytest.raises(StartFailed) as caught:
            await boxes.keeper.start(launch)
        assert caught.value.exit_code == code
        assert words in str(caught.value)
        assert "OCI runtime create failed" in str(caught.value)
        await until_nothing_is_left(boxes, launch.id)

    async def test_a_file_that_is_no_program_says_so_in_plain_words(self, boxes: Boxes) -> None:
        """By then the runtime has become the container's process: the words are in its log."""
        code, log = await boxes.run("/bin/noshebang")
        assert code == 1
        assert re.fullmatch(r"exec\b.*/bin/noshebang.*: exec format error\n", log, re.IGNORECASE)

    async def test_a_failed_start_ends_what_was_attached(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("nonesuch"))
        attached = await boxes.attach(launch.id, stdin=True)
        attached.send(b"typed too early")
        with pytest.raises(StartFailed):
            await boxes.keeper.start(launch)
        assert await read_all(attached) == b""

    # Attach and stdin.

    async def test_who_attaches_before_the_start_misses_nothing(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("sh", "-c", "echo out; echo err >&2"))
        attached = await boxes.attach(launch.id)
        await boxes.keeper.start(launch)
        assert unframed(await read_all(attached)) == {1: b"out\n", 2: b"err\n"}

    async def test_everybody_attached_sees_the_same(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("echo", "hello"))
        attached = [await boxes.attach(launch.id) for _ in range(3)]
        await boxes.keeper.start(launch)
        assert [unframed(await read_all(each)) for each in attached] == [{1: b"hello\n"}] * 3

    async def test_one_stream_alone(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("sh", "-c", "echo out; echo err >&2"))
        attached = await boxes.attach(launch.id, stdout=False)
        await boxes.keeper.start(launch)
        assert unframed(await read_all(attached)) == {2: b"err\n"}

    async def test_input_comes_in_and_ends(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("sh", "-c", "cat; echo end"), stdin=True)
        attached = await boxes.attach(launch.id, stdin=True)
        await boxes.keeper.start(launch)
        await asyncio.get_running_loop().sock_sendall(attached, b"some input\n")
        attached.shutdown(socket.SHUT_WR)
        assert unframed(await read_all(attached)) == {1: b"some input\nend\n"}
        assert (await boxes.exit_of(launch.id)).code == 0

    async def test_much_input_and_much_output_flow_at_once(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("cat"), stdin=True)
        attached = await boxes.attach(launch.id, stdin=True, patience_s=None)
        await boxes.keeper.start(launch)
        content = os.urandom(5_000_000)

        async def feed() -> None:
            await asyncio.get_running_loop().sock_sendall(attached, content)
            attached.shutdown(socket.SHUT_WR)

        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            received = group.create_task(read_all(attached))
        assert unframed(received.result()) == {1: content}

    async def test_input_of_a_client_that_left_still_comes_in(self, boxes: Boxes) -> None:
        launch = boxes.launch(boxes.spec("sh", "-c", "sleep 0.1; cat | wc -c"), stdin=True)
        attached = await boxes.attach(launch.id, stdin=True)
        await boxes.keeper.start(launch)
        attached.setblocking(True)
        await asyncio.to_thread(attached.sendall, b"x" * 150_000)
        attached.close()
        assert (await boxes.exit_of(launch.id)).code == 0
        assert boxes.log(launch.id) == "150000\n"

    async def test_without_a_stdin_there_is_none(self, boxes: Boxes) -> None:
        assert await boxes.run("cat") == (0, "")

    async def test_a_slow_client_makes_the_container_wait_and_loses_nothing(
        self, boxes: Boxes
    ) -> None:
        launch = boxes.launch(boxes.spec("head", "-c", "20000000", "/dev/zero"))
        attached = await boxes.attach(launch.id)
        await boxes.keeper.start(launch)
        await asyncio.sleep(0.3)
        assert boxes.keeper.processes(launch.id) != ()
        assert len(unframed(await read_all(attached))[1]) == 20_000_000

    async def test_an_onlooker_who_takes_nothing_is_cut_off_and_holds_up_nobody(
        self, boxes: Boxes
    ) -> None:
        launch = boxes.launch(boxes.spec("head", "-c", "5000000", "/dev/zero"))
        slow = await boxes.attach(launch.id, patience_s=0.1)
        swift = await boxes.attach(launch.id, patience_s=None)
        await boxes.keeper.start(launch)
        assert len(unframed(await read_all(swift))[1]) == 5_000_000
        assert (await boxes.exit_of(launch.id)).code == 0
        told = unframed(await read_all(slow))
        assert b"too slow" in told[3]
        assert len(told[1]) < 5_000_000

    # Terminals.

    async def test_a_terminal_is_one_and_has_the_size_it_was_given(self, boxes: Boxes) -> None:
        spec = boxes.spec("sh", "-c", "tty; stty size", terminal=True, size=(33, 101))
        launch = boxes.launch(spec, stdin=True)
        attached = await boxes.attach(launch.id, terminal=True)
        await boxes.keeper.start(launch)
        assert await read_all(attached) == b"/dev/pts/0\r\n33 101\r\n"

    async def test_a_terminal_is_resized_and_typed_to(self, boxes: Boxes) -> None:
        spec = boxes.spec("sh", "-c", "read line; stty size; echo got $line", terminal=True)
        launch = boxes.launch(spec, stdin=True)
        attached = await boxes.attach(launch.id, stdin=True, terminal=True)
        await boxes.keeper.start(launch)
        await boxes.keeper.resize(launch.id, rows=40, columns=120)
        await asyncio.get_running_loop().sock_sendall(attached, b"words\r")
        assert await read_all(attached) == b"words\r\n40 120\r\ngot words\r\n"

    async def test_what_is_typed_can_interrupt(self, boxes: Boxes) -> None:
        spec = boxes.spec("sh", "-c", "trap 'exit 5' INT; echo up; sleep 1000", terminal=True)
        launch = boxes.launch(spec, stdin=True)
        attached = await boxes.attach(launch.id, stdin=True, terminal=True)
        await boxes.keeper.start(launch)
        await until_logged(boxes, launch.id, "up")
        await asyncio.get_running_loop().sock_sendall(attached, b"\x03")
        assert (await boxes.exit_of(launch.id)).code == 5

    async def test_without_a_terminal_there_is_nothing_to_resize(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        with pytest.raises(Exception, match="no terminal"):
            await boxes.keeper.resize(running.id, rows=1, columns=1)

    # Exec.

    async def test_a_further_process_runs_in_the_same_world(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        further = boxes.exec(running.id, "sh", "-c", "cat; ps | grep -c sleep; exit 9", stdin=True)
        attached = await boxes.attach(running.id, further.exec_id, stdin=True, patience_s=None)
        await boxes.keeper.exec(further)
        await asyncio.get_running_loop().sock_sendall(attached, b"in\n")
        attached.shutdown(socket.SHUT_WR)
        assert unframed(await read_all(attached))[1].startswith(b"in\n")
        assert (await boxes.exit_of(running.id, further.exec_id)).code == 9
        assert boxes.log(running.id) == ""

    async def test_a_further_process_is_in_the_containers_group(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        further = await boxes.keeper.exec(boxes.exec(running.id, *SLEEP))
        assert set(boxes.keeper.processes(running.id)) >= {running.pid, further.pid}

    async def test_a_further_process_may_have_a_terminal(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        # crun sets the size beside the process, not before it.
        command = ("sh", "-c", "sleep 0.1; stty size")
        further = boxes.exec(running.id, *command, terminal=True, size=(10, 20))
        attached = await boxes.attach(running.id, further.exec_id, terminal=True)
        await boxes.keeper.exec(further)
        assert await read_all(attached) == b"10 20\r\n"

    @pytest.mark.parametrize(("program", "code"), [("nonesuch", 127), ("/bin/plain", 126)])
    async def test_a_further_process_that_cannot_be_run(
        self, boxes: Boxes, program: str, code: int
    ) -> None:
        running = await boxes.start(*SLEEP)
        with pytest.raises(StartFailed, match="OCI runtime exec failed: exec failed") as caught:
            await boxes.keeper.exec(boxes.exec(running.id, program))
        assert caught.value.exit_code == code

    async def test_no_further_process_where_nothing_runs(self, boxes: Boxes) -> None:
        with pytest.raises(Conflict, match="is not running"):
            await boxes.keeper.exec(boxes.exec("0" * 16, "true"))

    async def test_further_processes_end_with_their_container(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        further = await boxes.keeper.exec(boxes.exec(running.id, *SLEEP))
        await boxes.keeper.signal(running.id, signal.SIGKILL)
        assert (await boxes.exit_of(running.id, further.exec_id)).code == 137

    async def test_a_child_that_keeps_the_stream_open_does_not_hold_up_the_exit(
        self, boxes: Boxes
    ) -> None:
        running = await boxes.start(*SLEEP)
        further = boxes.exec(running.id, "sh", "-c", "sleep 1000 & echo begun")
        attached = await boxes.attach(running.id, further.exec_id)
        await boxes.keeper.exec(further)
        assert unframed(await read_all(attached)) == {1: b"begun\n"}
        assert (await boxes.exit_of(running.id, further.exec_id)).code == 0

    # Limits.

    async def test_limits_are_seen_from_inside(self, boxes: Boxes) -> None:
        resources = Resources(
            memory=Memory(limit=64 << 20, swap=64 << 20),
            cpu=Cpu(shares=512, quota=50_000, period=100_000),
            pids=Pids(limit=77),
        )
        files = (
            "memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us pids/pids.max"
            if Layout.of_this_machine().version == 1
            else "memory.max cpu.weight cpu.max pids.max"
        )
        command = f"cd /sys/fs/cgroup; cat {files}"
        code, log = await boxes.run("sh", "-c", command, resources=resources)
        expected = (
            "67108864\n512\n50000\n77\n"
            if Layout.of_this_machine().version == 1
            else "67108864\n20\n50000 100000\n77\n"
        )
        assert (code, log) == (0, expected)

    async def test_devices_that_are_not_allowed_cannot_be_opened(self, boxes: Boxes) -> None:
        script = "mknod /tmp/mem c 1 1 && cat /tmp/mem; cat /dev/null && echo null"
        code, log = await boxes.run("sh", "-c", f"{script}; rm -f /tmp/mem")
        assert code == 0
        assert "Operation not permitted" in log
        assert "null\n" in log

    async def test_a_limit_changes_while_the_container_runs(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP, resources=Resources(memory=Memory(limit=64 << 20)))
        boxes.keeper.update(
            running.id,
            Resources(memory=Memory(limit=128 << 20, swap=256 << 20), pids=Pids(limit=5)),
        )
        usage = boxes.keeper.usage(running.id)
        assert (usage.memory_limit_bytes, usage.pids_limit) == (128 << 20, 5)
        boxes.keeper.update(running.id, Resources(memory=Memory(limit=32 << 20, swap=32 << 20)))
        assert boxes.keeper.usage(running.id).memory_limit_bytes == 32 << 20

    async def test_who_takes_too_much_memory_is_killed_and_it_is_told(self, boxes: Boxes) -> None:
        limits = Resources(memory=Memory(limit=16 << 20, swap=16 << 20))
        running = await boxes.start("tail", "/dev/zero", resources=limits)
        exit_ = await boxes.exit_of(running.id)
        assert (exit_.code, exit_.oom_killed) == (137, True)

    async def test_who_is_killed_otherwise_is_not_out_of_memory(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        await boxes.keeper.signal(running.id, signal.SIGKILL)
        assert not (await boxes.exit_of(running.id)).oom_killed

    async def test_a_paused_container_stands_still_and_goes_on(self, boxes: Boxes) -> None:
        running = await boxes.start("sh", "-c", "while :; do echo tick; sleep 0.01; done")
        await until_logged(boxes, running.id, "tick")
        await boxes.keeper.pause(running.id)
        await asyncio.sleep(0.1)  # what it wrote before that is on its way into the log
        before = boxes.log(running.id)
        await asyncio.sleep(0.1)
        assert boxes.log(running.id) == before
        await boxes.keeper.resume(running.id)
        await until_logged(boxes, running.id, before + "tick")

    async def test_usage_counts(self, boxes: Boxes) -> None:
        running = await boxes.start("sh", "-c", "while :; do :; done")
        await asyncio.sleep(0.1)
        usage = boxes.keeper.usage(running.id)
        assert usage.cpu_ns > 1_000_000
        assert usage.memory_bytes > 0
        assert usage.pids == 1

    async def test_of_what_does_not_run_there_is_no_usage(self, boxes: Boxes) -> None:
        running = await boxes.start("true")
        await boxes.exit_of(running.id)
        with pytest.raises(NotFound, match="is not running"):
            boxes.keeper.usage(running.id)

    # Nothing is lost, nothing is left.

    async def test_fifty_at_once(self, boxes: Boxes) -> None:
        async with asyncio.TaskGroup() as group:
            runs = [
                group.create_task(boxes.run("sh", "-c", f"echo {number}; exit {number}"))
                for number in range(50)
            ]
        assert [run.result() for run in runs] == [(n, f"{n}\n") for n in range(50)]

    async def test_nothing_is_left_of_a_container_that_ended(self, boxes: Boxes) -> None:
        running = await boxes.start("sh", "-c", "sleep 1000 & echo up")
        await boxes.exit_of(running.id)
        await boxes.keeper.release(running.id)
        await until_nothing_is_left(boxes, running.id)

    async def test_a_running_container_is_not_released(self, boxes: Boxes) -> None:
        running = await boxes.start(*SLEEP)
        with pytest.raises(Conflict, match="is running"):
            await boxes.keeper.release(running.id)


async def until_logged(boxes: Boxes, container_id: str, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in boxes.log(container_id):
            await asyncio.sleep(0.01)


async def until_nothing_is_left(boxes: Boxes, container_id: str) -> None:
    """Groups go as soon as the last process in them is reaped: very soon, not at once."""
    for _ in range(200):
        if not leftovers(boxes, container_id):
            return
        await asyncio.sleep(0.01)
    assert leftovers(boxes, container_id) == []


def leftovers(boxes: Boxes, container_id: str) -> list[str]:
    """What a container could leave behind: groups, the runtime's folder, mounts."""
    layout = Layout.of_this_machine()
    places = [*layout.controllers.values(), *([layout.unified] if layout.unified else [])]
    found = [f"{place}{boxes.parent}/{container_id}" for place in places]
    found.append(str(boxes.keeper.run_root / "runtime" / boxes.runtime.name / container_id))
    mounts = [
        line for line in Path("/proc/mounts").read_text().splitlines() if container_id in line
    ]
    return [path for path in found if Path(path).exists()] + mounts


@contextmanager
def shown_mapped(rootfs: Path, users: int) -> Iterator[str]:
    """The root with its owners mapped, where somebody without rights can get to it."""
    place = tempfile.mkdtemp(prefix="knarr-mapped-")
    os.chmod(place, 0o711)
    with mount.detached(mount.open_tree(str(rootfs))) as clone:
        mount.id_map(clone, users)
        os.close(users)
        mount.attach(clone, place)
    try:
        yield place
    finally:
        mount.unmount(place, lazy=True)
        os.rmdir(place)


def mapped(launch: Launch, root: str, users: str, network: str) -> Launch:
    """The launch, but of another root, and in namespaces that are there."""
    linux = launch.spec.linux
    paths = {"network": network}
    namespaces = (
        Namespace(type="user", path=users),
        *(Namespace(type=each.type, path=paths.get(each.type, "")) for each in linux.namespaces),
    )
    mapping = (IdMapping(container_id=0, host_id=700_000, size=1000),)
    linux = msgspec.structs.replace(
        linux,
        namespaces=namespaces,
        uid_mappings=mapping,
        gid_mappings=mapping,
        sysctl={"net.ipv4.ip_unprivileged_port_start": "80"},  # which its root alone may write
    )
    spec = msgspec.structs.replace(launch.spec, linux=linux, root=Root(path=root))
    return replace(launch, spec=spec, owner=(700_000, 700_000))
