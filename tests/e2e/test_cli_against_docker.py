"""knarr's command line and docker's on the same engine, a real Docker: same output, same code.

Two kinds of scripts. *Looking* ones change nothing: each command runs with both clients, one after
the other. *Doing* ones run as a whole with each, on containers and volumes of the same names, which
are removed in between. IDs, times and ages are made equal before the comparison, and the program's
name; everything else must be the same, to the byte.
"""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import knarr
from e2e.conftest import PeerDocker

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "dockerd", "busybox")

WRITES = "echo err >&2; sleep 0.2; echo hello; exit 3"
KNARR = (sys.executable, "-m", "knarr")

# UNTIL is a moment before both clients ask.
LOOKING = """\
ps
ps -a
ps -aq
ps -aq --no-trunc
ps -a --no-trunc
ps -as
ps -l
ps -n 1
ps -n x
ps --filter name=look
ps -a --filter status=exited --format '{{.Names}} {{.State}}'
ps --filter foo=bar
ps --filter foo
ps -a --format json
ps -a --format '{{json .}}'
ps -a --format raw
ps -a --format 'table {{.Names}}\\t{{.Ports}}\\t{{.Label "a"}}'
ps -a --format '{{.Names}}: {{.Image}} {{.Command}} {{.Ports}} {{.Mounts}}'
ps -a --format '{{.Names}}: {{.Networks}} {{.Labels}} {{.LocalVolumes}}'
ps -a --format '{{upper .Names}} {{title .Names}} {{pad .Names 2 3}}|{{truncate .Command 5}}'
ps -a --format '{{split .Names "o"}} {{join (split .Names "o") "-"}} {{len .Names}}'
ps -a --format '{{if eq .Names "look"}}yes{{else}}no{{end}}'
ps -a --format '{{range $i, $e := split .Names "o"}}{{$i}}={{$e}};{{end}}'
ps -a --format '{{$x := .Names}}{{with $x}}{{. | printf "%-8s|%q"}}{{end}}'
ps -a --format '{{/* nothing */}}{{- .Names -}} x'
ps -a --format '{{println .Names}}'
ps -a --format '{{html "<a>"}} {{js "a"}} {{urlquery "a b"}} {{print 1 2 "a" 3}}'
ps -a --format '{{.Foo}}'
ps -a --format '{{.Names'
ps -a --format '{{.Names.Foo}}'
ps -a --format '{{nofunc .}}'
ps -a --format '{{.Label}}'
ps -a --format '{{if .Names}}'
ps -a --format '{{end}}'
ps -a --format '{{1 | upper}}'
ps extra
ps --nosuch
ps -z
container bogus
container ls -q --filter name=look
container inspect
container inspect nosuch
bogus
help bogus
stop
stop nosuch
stop nosuch1 nosuch2
stop -t x look
rm
rm nosuch
rm -f nosuch
rm /
start
start nosuch
start -a look gone
restart nosuch
kill gone
kill -s FOO look
kill nosuch
pause gone
unpause look
rename
rename look
rename look gone
rename nosuch x
rename look ''
wait gone nosuch
wait gone gone
port look
port look 80
port look 80/udp
port look x
port look 99999
port gone
port nosuch
top look
top look -o pid,comm
top gone
diff look
diff nosuch
logs gone
logs -t gone
logs --tail 1 gone
logs --tail x gone
logs --since foo gone
logs --since 2020-01-01 --until 2021-01-01T00:00:00Z gone
logs --until 1h gone
logs --tail
logs nosuch
exec look echo hi
exec look sh -c 'echo out; echo err >&2; exit 3'
exec look nosuchprogram
exec look /etc
exec gone true
exec nosuch true
exec
exec look
exec -d look true
exec -t look echo hi
exec -it look true
exec -i look cat
exec -u 5:6 -w /tmp look sh -c 'id; pwd'
exec -u nosuch look id
exec -w /nosuch look id
exec -e A=1 -e B look sh -c 'echo $A'
exec -e =x look env
exec --env-file /nonexistent look env
exec --privileged look true
attach gone
attach nosuch
inspect
inspect nosuch
inspect look
inspect look busybox look-net look-volume
inspect --type image look
inspect --type nosuch look
inspect look nosuch -f '{{.Name}}'
inspect -s look -f '{{.SizeRw}} {{.SizeRootFs}}'
inspect -f json look
inspect -f '{{.Name}} {{.Config.Image}} {{json .Config.Cmd}}' look
inspect -f '{{range $p, $c := .NetworkSettings.Ports}}{{$p}}={{(index $c 0).HostPort}} {{end}}' look
inspect -f '{{.Config.Labels.a}} {{index .Config.Labels "b"}} {{.Config.Labels.nosuch}}' look
inspect -f '{{json .State.Status}} {{.State.Pid | printf "%d" | len}}' gone
inspect -f '{{.HostConfig.Memory}} {{.HostConfig.Binds}} {{.Config.Env}}' look
inspect -f '{{.State.Health.Status}}' look
inspect -f '{{len .HostConfig.Binds}} {{.HostConfig.CapAdd}} {{json .ExecIDs}} {{.ExecIDs}}' gone
inspect -f '{{if .State.Health}}y{{else}}n{{end}} {{.HostConfig.Init}} {{.HostConfig.Tmpfs}}' gone
inspect -f '{{index .Config.Labels "nosuch"}}|{{.Config.StopTimeout}} {{.Config.Entrypoint}}' gone
inspect -f '{{.Foo}}' look
inspect -f '{{.Foo' look
inspect -f '{{index .Args 9}}' look
images
images -q
images --digests
images --no-trunc
images busybox
images nosuch
images --filter dangling=true
images --filter foo=bar
images --format json busybox
images --format raw busybox
images --format '{{.Repository}}:{{.Tag}} {{.ID}} {{.Digest}} {{.Size}} {{.VirtualSize}}' busybox
images a b
images --tree
image inspect busybox
image inspect nosuch
image inspect -f '{{.Id}} {{.Config.Cmd}}' busybox nosuch
history busybox
history -q --no-trunc busybox
history --human=false busybox
history --format json busybox
history nosuch
rmi nosuch
rmi -f nosuch
tag nosuch x
tag busybox BAD
tag busybox x@sha256:aa
save nosuch
save -o /nonexistent/x busybox
save -o /tmp busybox
load -i /nonexistent
pull -a busybox:x
pull BAD
push BAD
push -a x:y
import /nonexistent
image prune
image prune -a
export nosuch
export -o /nonexistent/x look
commit nosuch
commit look BAD
commit look x@sha256:aa
network ls
network ls -q --no-trunc
network ls --filter driver=host
network ls --filter foo=bar
network ls --format json
network ls --format raw
network ls --format '{{.Name}} {{.Internal}} {{.IPv6}} {{.Labels}}'
network inspect look-net
network inspect nosuch
network inspect -f '{{.Name}} {{.Labels}} {{len .Containers}}' look-net
network create
network create look-net
network create --driver nosuch n2
network create --subnet nosuch n3
network create --subnet 10.98.0.0/24 --gateway 10.97.0.1 n3
network create --ip-range 10.1.0.0/24 n3
network create --aux-address a=1.2.3.4 n3
network create --subnet 10.1.0.0/16 --subnet 10.1.2.0/24 n3
network rm nosuch
network rm -f nosuch
network rm bridge
network connect nosuch look
network disconnect nosuch look
network prune
volume ls
volume ls -q
volume ls --filter dangling=true
volume ls --format json
volume ls --format raw
volume inspect look-volume
volume inspect nosuch
volume create 'bad name'
volume create look-volume
volume create a b
volume rm nosuch
volume rm -f nosuch
volume rm look-volume
volume prune
volume prune -a -f
version -f '{{.Server.Version}} {{.Client.Os}}'
version -f '{{.Foo'
info -f '{{.Driver}} {{.ServerVersion}} {{json .Plugins.Volume}}'
info -f '{{.Foo'
system df
system df --format '{{.Type}} {{.TotalCount}} {{.Size}}'
system df --format 'table {{.Type}}\\t{{.Reclaimable}}'
system df --format json
system df -v
image ls --tree
image inspect --platform linux/amd64 busybox
manifest inspect
manifest inspect a b c
commit
port a b c
import
manifest rm
system prune
system prune -a --volumes
system prune --filter label=foo --filter until=1h
system prune --volumes --filter until=1h
container prune
container prune --filter foo
events --since nosuch
events --since 1h --until UNTIL --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
events --since 1h --until UNTIL --filter container=look
events --since 1h --until UNTIL --filter container=look --format json
events --format '{{.Foo}}'
stats --no-stream gone
stats --no-stream --format json gone
stats --no-stream look nosuch
update look
update --restart nosuch look
update --cpus 0.5 nosuch
update -m x look
cp
cp a b
cp look:/etc/passwd nosuch/x
cp look:/nosuch /tmp
cp nosuch:/x /tmp
cp nosuchfile look:/tmp
cp look:/tmp look:/x
login
login -u me
login -p x
login --password-stdin
logout
context ls -q
context inspect nosuch
context use nosuch
context rm nosuch1 nosuch2
context create default
context create bad/name
-H tcp://a -H tcp://b ps
-H tcp://a -c b ps
-H ftp://a ps
-H tcp://a:x ps
-H unix:///nonexistent.sock ps
-c nosuch ps
-l loud ps
--nosuch
-z
"""

DOING: dict[str, str] = {
    "run and its end": """\
run --rm busybox true
run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
run --rm busybox sh -c 'kill -9 $$'
run --rm busybox nosuchprogram
run --rm busybox /etc
run --rm busybox /etc/passwd
run --rm -i busybox cat
run --rm -t busybox echo hi
run --rm -a stderr busybox sh -c 'echo hi; echo ho >&2'
run --rm -it busybox true
run --rm -w rel busybox true
run --rm -m 1k busybox true
run --rm --network nosuch busybox true
run --rm --pull never nosuch
run --rm --name 'bad name' busybox true
run --rm busybox:nosuch true
run --rm -p 99999 busybox true
run -d -a stdout busybox true
run --nosuch
run
run Busybox
""",
    "a container's life": """\
run -d --name do1 -l a=1 busybox sleep 1000
ps --filter name=do1 --format '{{.Names}} {{.State}}'
run --name do1 busybox true
pause do1
pause do1
exec do1 true
attach do1
unpause do1
rename do1 do2
rm do2
stop -t 0 do2
stop do2
start do2
restart -t 0 do2
kill do2
wait do2
inspect -f '{{.State.Status}} {{.State.ExitCode}}' do2
update --restart on-failure:3 do2
inspect -f '{{.HostConfig.RestartPolicy}}' do2
rm do2
rm do2
""",
    "start and see": """\
create --name do1 busybox sh -c 'echo err >&2; sleep 0.2; echo hello; exit 3'
start do1
wait do1
logs do1
start -a do1
start -ai do1
logs --tail 1 do1
rm -v do1
""",
    "input": """\
create -i --name do1 busybox sh -c 'read line; echo "got $line"; exit 4'
start -ai do1
rm do1
run -i --rm busybox wc -c
""",
    "images of containers": """\
run --name do1 busybox sh -c 'echo x >/file; rm /bin/yes'
diff do1
commit -a me -m msg -c 'ENV A=b' -c 'CMD ["/bin/cat", "/file"]' do1 do-image:1
run --rm do-image:1
history --format '{{.CreatedBy}} {{.Comment}}' do-image:1
inspect -f '{{.Author}} {{.Config.Env}}' do-image:1
tag do-image:1 do-image:2
images --format '{{.Repository}}:{{.Tag}}' do-image
rmi do-image:1
rm do1
rmi do-image:2
rmi do-image:2
""",
    "volumes": """\
volume create --label a=b do-volume
volume ls -q --filter name=do-volume
run --rm -v do-volume:/v busybox sh -c 'echo kept >/v/file'
run --name do1 -v do-volume:/v:ro busybox cat /v/file
run --rm -v do-volume:/v:ro busybox touch /v/x
volume rm do-volume
inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}' do1
rm do1
volume rm do-volume
volume rm do-volume
""",
    "networks": """\
network create --subnet 10.231.0.0/24 --label a=b --internal do-net
network inspect -f '{{.Driver}} {{.Internal}} {{(index .IPAM.Config 0).Subnet}} {{.Labels}}' do-net
run -d --name do1 --network do-net --ip 10.231.0.9 --network-alias other busybox sleep 1000
inspect -f '{{(index .NetworkSettings.Networks "do-net").IPAddress}}' do1
network rm do-net
network connect --alias again bridge do1
network disconnect bridge do1
network disconnect bridge do1
network disconnect -f do-net do1
rm -f do1
network rm do-net
""",
    "prune": """\
create --name do1 -l do busybox
container prune -f --filter label=do
container prune -f --filter label=do
network create --label do do-net
network prune -f --filter label=do
volume prune -f --filter label=do
""",
}


@pytest.fixture(scope="module")
def docker(dockerd: PeerDocker) -> Iterator[PeerDocker]:
    """The engine with things to look at."""
    dockerd("network", "create", "--subnet", "10.230.0.0/24", "--label", "a=b", "look-net")
    dockerd("volume", "create", "--label", "a=b", "look-volume")
    dockerd(
        "run", "-d", "--name", "look", "-p", "18080:80", "-p", "19000-19002:9000-9002",
        "--expose", "7000", "-l", "a=1", "-l", "b=<x>&y", "-v", "look-volume:/v",
        "busybox", "sleep", "100000",
    )  # fmt: skip
    dockerd(
        "run",
        "--name",
        "gone",
        "busybox",
        "sh",
        "-c",
        "echo err >&2; sleep 0.2; echo hello; exit 3",
    )
    yield dockerd
    dockerd("rm", "-fv", "look", "gone")
    dockerd("volume", "rm", "look-volume")
    dockerd("network", "rm", "look-net")


def environment(docker: PeerDocker) -> dict[str, str]:
    """For both clients; knarr is found from any folder."""
    return {**docker.environment, "PYTHONPATH": str(Path(knarr.__file__).parent.parent)}


def run(
    docker: PeerDocker, program: tuple[str, ...], line: str, given: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*program, *shlex.split(line)],
        env=environment(docker), input=given, capture_output=True, text=True, timeout=60,
        check=False, cwd="/tmp",
    )  # fmt: skip


_NAMES = (
    (r"(?m)^docker: ", "knarr: "),
    (r"'docker ", "'knarr "),
    (r"Usage:  docker", "Usage:  knarr"),
    (r"\tdocker ", "\tknarr "),
    (r"unknown command: docker", "unknown command: knarr"),
    (r"(?m)^S?Run '", "Run '"),  # docker 28.2 has a slip here
    (r"(?m)^See '(.*--help)'", r"Run '\1'"),
    # What a prune would free: docker does not say it.
    (r"\n(That is now.*\n(  - .*\n)+|There is nothing of the kind now\.\n)", ""),
)
_SAME = (
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<short>"),
    (r"Less than a second", "<age>"),
    (r"(?:About )?(?:an?|\d+) (?:second|minute|hour)s?\b", "<age>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b(?:17|18)\d{8}(?:\d{9})?\b", "<unix>"),
    (r"execDuration=\d+", "execDuration=N"),
    (r"\b[a-z]+_[a-z]+\b(?=$|\n)", "<name>"),
    (r" +$", ""),
    (r"  +", "  "),
    (r"172\.\d+\.\d+\.\d+", "<address>"),
    (r"(?m)^(root +)\d+ +\d+ .*(sleep)", r"\1\2"),
    (r"(?m)^\d+ +sleep", "sleep"),
)


def same(text: str) -> str:
    for pattern, replacement in (*_NAMES, *_SAME):
        text = re.sub(pattern, replacement, text)
    return text


def shown(result: "subprocess.CompletedProcess[str]") -> list[str]:
    """What a person sees of it, and what a script does."""
    # Some engines list equal things in any order: rows of the same age, of a map.
    out = same(result.stdout).split("\n")
    return [f"code {result.returncode}", *sorted(out), "stderr:", *same(result.stderr).split("\n")]


@pytest.mark.parametrize("line", LOOKING.splitlines())
def test_looking(docker: PeerDocker, line: str) -> None:
    line = line.replace("UNTIL", str(int(time.time()) - 1))
    expected = shown(run(docker, ("docker",), line, ""))
    assert shown(run(docker, KNARR, line, "")) == expected


def script(docker: PeerDocker, program: tuple[str, ...], lines: str) -> list[str]:
    told = []
    try:
        for line in lines.splitlines():
            told.append(f"$ {line}")
            told += shown(run(docker, program, line, "one line\nand another\n"))
    finally:
        docker("rm", "-fv", "do1", "do2")
        docker("network", "rm", "do-net")
        docker("volume", "rm", "do-volume")
        docker("rmi", "-f", "do-image:1", "do-image:2")
    return told


@pytest.mark.parametrize("name", DOING)
def test_doing(docker: PeerDocker, name: str) -> None:
    expected = script(docker, ("docker",), DOING[name])
    assert script(docker, KNARR, DOING[name]) == expected


def test_an_archive_saved_by_one_is_loaded_by_the_other(docker: PeerDocker, tmp_path: Path) -> None:
    path = str(tmp_path / "image.tar")
    docker("tag", "busybox", "do-image:1")
    try:
        for saver, loader in ((KNARR, ("docker",)), (("docker",), KNARR)):
            assert run(docker, saver, f"save -o {path} do-image:1", "").returncode == 0
            docker("rmi", "do-image:1")
            loaded = run(docker, loader, f"load -i {path}", "")
            assert loaded.stdout == "Loaded image: do-image:1\n"
    finally:
        docker("rmi", "do-image:1")


def test_an_exported_container_is_imported(docker: PeerDocker, tmp_path: Path) -> None:
    path = str(tmp_path / "files.tar")
    assert run(docker, KNARR, f"export -o {path} gone", "").returncode == 0
    made = run(docker, KNARR, f"import -c 'CMD [\"true\"]' {path} do-image:1", "")
    try:
        assert made.returncode == 0, made.stderr
        assert run(docker, KNARR, "run --rm do-image:1", "").returncode == 0
    finally:
        docker("rmi", "-f", "do-image:1")


COPIES = """\
cp f {c}:/tmp/
cp f {c}:/tmp/new
cp f {c}:/nosuch/new
cp f {c}:/nosuch/
cp d {c}:/tmp/d1
cp d {c}:/tmp
cp d/. {c}:/tmp/d2
cp d {c}:/tmp/new
cp ln {c}:/tmp/
cp -L ln {c}:/tmp/ln2
cp -a d {c}:/tmp/da
cp lnd {c}:/tmp
cp lnd/ {c}:/tmp/lnd2
cp {c}:/tmp/d1 out/
cp {c}:/tmp/d1 out/newd
cp {c}:/tmp/d1/. out/newe
cp {c}:/tmp/new out/
cp {c}:/tmp/new out/x1
cp {c}:/tmp/new nosuch/
cp {c}:/tmp/d1 out/x1
cp {c}:/bin/sh out/
cp -L {c}:/bin/sh out/sh2
exec {c} sh -c 'cd /tmp; find . | sort | xargs ls -ldn | cut -c1-40; find . | sort'
"""


def test_copies_land_where_docker_lands_them(docker: PeerDocker, tmp_path: Path) -> None:
    found = []
    for program in (("docker",), KNARR):
        here = tmp_path / program[-1]
        (here / "d" / "sub").mkdir(parents=True)
        (here / "out").mkdir()
        (here / "f").write_text("hi\n")
        (here / "d" / "x").write_text("x\n")
        (here / "d" / "sub" / "y").write_text("y\n")
        (here / "ln").symlink_to("f")
        (here / "lnd").symlink_to("d")
        docker("run", "-d", "--name", "do1", "busybox", "sleep", "1000")
        docker("exec", "do1", "mkdir", "-p", "/tmp")
        told = []
        for line in COPIES.format(c="do1").splitlines():
            result = subprocess.run(
                [*program, *shlex.split(line)], env=environment(docker), cwd=here,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            # docker logs that it closed its own archive too early; we have nothing to close.
            said = [text for text in result.stderr.split("\n") if not text.startswith("time=")]
            told += [line, result.returncode, result.stdout, *said]
        listing = sorted(
            f"{path.relative_to(here)} {path.lstat().st_mode:o}" for path in here.rglob("*")
        )
        found.append([*told, *listing])
        docker("rm", "-f", "do1")
    assert found[0] == found[1]
