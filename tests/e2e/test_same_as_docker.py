"""The same commands of the docker CLI against knarr and against Docker: same output, same code."""

import pytest

from support.comparison import Case, Docker, case, sh, transcript
from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "dockerd", "busybox")

_STATUS = (
    "cat /proc/self/status | grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups)' | grep -v filters"
)

# Until process 1 catches SIGTERM, which is the mask's bit 14: before, it would not mind a stop.
_TRAPPED = "until grep -q '^SigCgt.*[4-7c-f]...$' /proc/1/status; do sleep 0.1; done"

CASES = [
    # Exit codes
    case("exit zero", "run --rm busybox true"),
    case("exit code of the program", sh("", "exit 42")),
    case("killed by a signal", sh("", "kill -9 $$")),
    case("missing program", "run --rm busybox nosuchprogram"),
    case("missing path", "run --rm busybox /no/such/program"),
    case("not executable", "run --rm busybox /etc/passwd"),
    case("a directory", "run --rm busybox /etc"),
    case("unknown image", "run --rm --pull never nosuchimage true"),
    case("bad flag", "run --nosuchflag busybox"),
    case("bad name", "create --name /?bad busybox"),
    case("name in use", "create --name t1 busybox", "create --name t1 busybox"),
    case("bad memory", "run --rm -m 1m busybox true"),
    case("bad cpus", "run --rm --cpus 10000 busybox true"),
    case("bad user", "run --rm -u nosuchuser busybox true"),
    case("bad capability", "run --rm --cap-add NOSUCHCAP busybox true"),
    case("bad mount source", "run --rm --mount type=bind,src=/no/such/path,dst=/x busybox true"),
    case("relative mount target", "run --rm -v /tmp:x busybox true"),
    case("duplicate mount", "run --rm -v /tmp:/x -v /etc:/x busybox true"),
    case("bad restart policy", "run --restart sometimes busybox true"),
    case("rm with restart", "run --rm --restart always busybox true"),
    case("bad workdir", "run --rm -w relative busybox true"),
    case("bad port", "run --rm -p 99999:80 busybox true"),
    case("bad env file", "run --rm --env-file /no/such/file busybox true"),
    # Streams
    case("both streams", sh("", "echo out; echo err >&2")),
    case("standard input", "run --rm -i busybox cat", given="line one\nline two\n"),
    case("no standard input", "run --rm busybox cat", given="unseen\n"),
    case("input that nobody reads", "run --rm -i busybox true", given="x" * 200_000),
    case("much output", sh("", "seq 1 20000")),
    case("output without a newline", sh("", "printf abc")),
    case("bytes", sh("", r"printf '\001\002\000end'")),
    # What the container sees
    case("environment", sh("-e A=1 -e B= --hostname box", "env | sort")),
    case("working directory", "run --rm -w /var/tmp/deep busybox pwd"),
    case("user", "run --rm -u 1000:1000 busybox id"),
    case("user by name", "run --rm -u nobody busybox id"),
    case("additional groups", "run --rm -u 5 --group-add 7 --group-add nogroup busybox id"),
    case("hostname", "run --rm --hostname box --domainname example.org busybox hostname -f"),
    case("entrypoint", "run --rm --entrypoint echo busybox a b"),
    case("capabilities", sh("", _STATUS)),
    case("capabilities of a user", sh("-u 1000", _STATUS)),
    case("capabilities dropped", sh("--cap-drop ALL --cap-add NET_RAW", _STATUS)),
    case("no new privileges", sh("--security-opt no-new-privileges", _STATUS)),
    case("seccomp off", sh("--security-opt seccomp=unconfined", _STATUS)),
    case("mounts", sh("", "awk '{print $2, $3, $4}' /proc/mounts | sort | grep -vE '^/(etc|sys/fs/cgroup)|^/ |^/proc/|^/sys/'")),
    case("masked paths", sh("", "for f in /proc/kcore /proc/keys /proc/timer_list; do wc -c <$f; done")),
    case("read-only paths", sh("", "echo 1 >/proc/sys/kernel/domainname; echo $?")),
    case("devices", sh("", "ls /dev | grep -v core; ls -l /dev/null | cut -c1-10")),
    case("device node refused", sh("", "mknod /tmp/sda b 8 0 && cat /tmp/sda | wc -c; echo $?")),
    case("limits", "run --rm --ulimit nofile=1000:2000 busybox sh -c", ("run", "--rm", "--ulimit", "nofile=1000:2000", "busybox", "sh", "-c", "ulimit -n; ulimit -Hn")),
    case("memory limit", sh("-m 64m", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes")),
    case("pids limit", sh("--pids-limit 50", "cat /sys/fs/cgroup/pids/pids.max")),
    case("cpu quota", sh("--cpus 0.5", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us")),
    case("cpu shares", sh("-c 512", "cat /sys/fs/cgroup/cpu/cpu.shares")),
    case("shared memory", sh("--shm-size 8m", "df /dev/shm | tail -1 | awk '{print $2}'")),
    case("read-only root", sh("--read-only", "touch /x; touch /dev/shm/x; echo $?")),
    case("sysctl", sh("--sysctl net.ipv4.ip_forward=0", "cat /proc/sys/net/ipv4/ip_forward")),
    case("process one", sh("", "echo $$; readlink /proc/self/exe")),
    case("oom score", sh("--oom-score-adj 500", "cat /proc/self/oom_score_adj")),
    case("host network", sh("--network host", "ip link show lo | head -1 | cut -d: -f2")),
    case("no network", sh("--network none", "ls /sys/class/net")),
    case("default network", sh("", "ls /sys/class/net; ip route | wc -l")),
    case("hosts file", sh("--hostname box --add-host db:10.1.2.3", "grep -E 'localhost|db|box' /etc/hosts | awk '{print $2}'")),
    case("dns", sh("--dns 9.9.9.9 --dns-search example.org", "sort /etc/resolv.conf")),
    # Mounts
    case("tmpfs", sh("--tmpfs /x:size=1m,mode=700", "stat -c '%a %F' /x; df /x | tail -1 | awk '{print $2}'")),
    case("anonymous volume", sh("-v /data", "touch /data/a && ls /data")),
    case("named volume keeps", sh("-v vol1:/data", "echo kept >/data/a"), sh("-v vol1:/data", "cat /data/a"), "volume rm vol1"),
    case("volume filled from the image", sh("-v vol2:/etc", "ls /etc/passwd"), "volume rm vol2"),
    case("volume nocopy", sh("-v vol3:/bin/x:nocopy", "ls /bin/x | wc -l"), "volume rm vol3"),
    case("read-only bind", sh("-v /usr:/x:ro", "touch /x/y; echo $?")),
    case("volumes from", "create --name t1 -v /shared busybox true", sh("--volumes-from t1", "touch /shared/x && ls /shared"), "rm -v t1"),
    # The life of a container
    case("create, start, wait, logs", "create --name t1 busybox echo hi", "start t1", "wait t1", "logs t1", "rm t1"),
    case("start attached", "create --name t1 busybox sh -c", ("create", "--name", "t2", "busybox", "sh", "-c", "echo hi; exit 3"), "start -a t2"),
    case("stop", "run -d --name t1 busybox sleep 1000", "stop -t 1 t1", "inspect -f {{.State.Status}}:{{.State.ExitCode}} t1", "stop t1"),
    case("kill", "run -d --name t1 busybox sleep 1000", "kill t1", "wait t1", "kill t1", "kill -s NOSUCH t1"),
    case("trap", ("run", "-d", "--name", "t1", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"), ("exec", "t1", "sh", "-c", _TRAPPED), "stop t1", "wait t1"),
    case("restart", "run -d --name t1 busybox sleep 1000", "restart -t 0 t1", "inspect -f {{.State.Running}} t1"),
    case("pause", "run -d --name t1 busybox sleep 1000", "pause t1", "pause t1", "exec t1 true", "inspect -f {{.State.Status}} t1", "unpause t1", "unpause t1"),
    case("rename", "create --name t1 busybox", "rename t1 t2", "inspect -f {{.Name}} t2", "rename t2 t2"),
    case("remove a running one", "run -d --name t1 busybox sleep 1000", "rm t1", "rm -f t1", "rm t1"),
    case("unknown container", "start nosuch", "stop nosuch", "rm nosuch", "logs nosuch", "exec nosuch true", "inspect nosuch", "wait nosuch", "kill nosuch"),
    case("port", "run -d --name t1 -p 127.0.0.1:38080:80 -p 127.0.0.1:38081:81/udp busybox sleep 1000", "port t1", "port t1 80", "port t1 99"),
    case("ports in ps", "run -d --name t1 -p 127.0.0.1:38090-38092:90-92 --expose 7000 busybox sleep 1000", ("ps", "--filter", "name=t1", "--format", "{{.Ports}}")),
    case("ps", "create --name t1 -l a=b busybox true", ("ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.Status}} {{.Labels}}")),
    case("ps filters", "create --name t1 busybox", "ps -aq --filter status=nosuch", "ps -a --filter nosuch=x"),
    case("ps filters of Windows", "create --name t1 busybox", "ps -a --filter name=t1 --filter isolation=x --format {{.Names}}"),
    case("inspect parts", "create --name t1 -e A=1 -m 64m busybox echo x", ("inspect", "-f", "{{json .Config.Cmd}} {{json .Config.Env}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.Path}} {{.Args}} {{.HostConfig.ShmSize}}", "t1")),
    case("rename to what cannot be", "create --name t1 busybox", "create --name t2 busybox", "rename t1 t2", ("rename", "t1", "a b"), "rename t1 t1"),
    case("top with bad arguments", "run -d --name t1 busybox sleep 1000", "top t1 --nosuch"),
    case("top", "run -d --name t1 busybox sleep 1000", "top t1 -o pid,comm"),
    # Logs
    case("logs tail", ("run", "--name", "t1", "busybox", "seq", "1", "100"), "logs --tail 3 t1", "logs -n 0 t1"),
    case("logs of both streams", ("run", "-d", "--name", "t1", "busybox", "sh", "-c", "echo out; echo err >&2"), "wait t1", "logs t1"),
    case("logs with details", ("run", "--name", "t1", "--log-opt", "labels=a", "-l", "a=b c&d~", "busybox", "echo", "x"), "logs --details t1"),
    case("logs followed", ("run", "-d", "--name", "t1", "busybox", "sh", "-c", "echo a; sleep 0.3; echo b"), "logs -f t1"),
    case("logging driver none", "run --name t1 --log-driver none busybox echo x", "logs t1"),
    case("log options of other drivers", *(f"create --log-driver {driver} --log-opt foo=bar busybox" for driver in ("json-file", "local", "journald", "syslog"))),
    case("bad log options", "create --log-opt mode=foo busybox", "create --log-opt max-buffer-size=1m busybox", "create --log-driver journald --log-opt cache-disabled=x busybox"),
    case("bad syslog options", *(f"create --log-driver syslog --log-opt syslog-{bad} busybox" for bad in ("address=foo", "address=foo://x", "address=unix:///no/such", "address=tcp://1.2.3.4:x", "facility=foo", "facility=99", "format=x"))),
    case("bad log options at the start", *(f"run --log-opt {bad} busybox true" for bad in ("max-size=0", "max-size=x", "max-file=0", "tag={{.Foo}}", "tag={{.ID"))),
    case("details chosen by a pattern", "run --name t1 --log-opt labels-regex=^a --log-opt env=B --log-opt tag={{.Name}} -l a1=b -l c=d -e B=2 busybox echo x", "logs --details t1"),
    # Exec
    case("exec", "run -d --name t1 -e A=1 busybox sleep 1000", "exec t1 echo hi", "exec -e B=2 t1 env", "exec -w /tmp t1 pwd", "exec -u nobody t1 id"),
    case("exec exit codes", "run -d --name t1 busybox sleep 1000", ("exec", "t1", "sh", "-c", "exit 9"), ("exec", "t1", "sh", "-c", "kill -9 $$")),
    case("exec input", "run -d --name t1 busybox sleep 1000", "exec -i t1 cat", given="typed\n"),
    case("exec detached", "run -d --name t1 busybox sleep 1000", "exec -d t1 touch /tmp/x", ("exec", "t1", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do [ -e /tmp/x ] && echo there && break; sleep 0.1; done")),
    case("exec in a stopped one", "create --name t1 busybox", "exec t1 true"),
    case("exec is confined", "run -d --name t1 --cap-drop ALL busybox sleep 1000", ("exec", "t1", "sh", "-c", _STATUS)),
    case("update", "run -d --name t1 -m 64m busybox sleep 1000", "update -m 32m --memory-swap 64m t1", "exec t1 cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "update --restart always t1", ("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}}", "t1"), "update -m 1m t1"),
    case("commit", ("run", "--name", "t1", "busybox", "sh", "-c", "echo hi >/made"), ("commit", "-c", 'CMD ["cat", "/made"]', "-c", "ENV A=1", "t1", "made:1"), "run --rm made:1", ("image", "inspect", "-f", "{{json .Config.Cmd}} {{len .RootFS.Layers}}", "made:1"), "rmi made:1", "commit nosuch"),
    case("diff", ("run", "--name", "t1", "busybox", "sh", "-c", "echo hi >/made; rm /etc/group; mkdir /d"), "diff t1"),
    case("restart policy", ("run", "-d", "--name", "t1", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 3"), "wait t1"),
    # Images
    case("image list", ("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "busybox")),
    case("image inspect", ("image", "inspect", "-f", "{{.Id}} {{json .Config.Cmd}} {{.Architecture}} {{.Os}} {{json .RepoTags}} {{json .RootFS.Layers}}", "busybox")),
    case("image history", ("history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Size}}", "busybox")),
    case("tag and untag", "tag busybox other:1", ("images", "--format", "{{.Tag}}", "other"), "rmi other:1", "rmi other:1"),
    case("bad tag", "tag busybox Bad:1", "tag nosuch x", "rmi nosuch"),
    case("image in use", "create --name t1 busybox", "rmi busybox"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_knarr_answers_as_docker_does(case: Case, daemon: Daemon, dockerd: Docker) -> None:
    expected = transcript(dockerd, case)
    assert transcript(daemon.docker, case) == expected
