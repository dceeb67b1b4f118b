# ruff: noqa: E501
"""Limits, isolation, mounts and volumes by the docker CLI: knarr's against Docker's answers.

Each line is one command without a network; lines of one block come one after another.
"""

import shlex
from collections.abc import Iterator

import pytest

from support.comparison import Case, Docker, transcript
from support.daemon import Daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "dockerd", "busybox")

# Options and a program each, for one container of its own.
LIMITS = r"""
-m 64m busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes
-m 64m --memory-swap 64m busybox cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes
-m 64m --memory-swap -1 busybox cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes
-m 64m --memory-reservation 32m busybox cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes
-m 1m busybox true
-m 64m --memory-swap 32m busybox true
--memory-swap 32m busybox true
--memory-reservation 1m busybox true
-m 64m --memory-reservation 128m busybox true
--memory-swappiness 50 busybox cat /sys/fs/cgroup/memory/memory.swappiness
--memory-swappiness 150 busybox true
--oom-kill-disable -m 64m busybox cat /sys/fs/cgroup/memory/memory.oom_control
--oom-kill-disable busybox true
--cpus 1.5 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us
--cpus 99 busybox true
--cpu-shares 77 busybox cat /sys/fs/cgroup/cpu/cpu.shares
--cpu-period 50000 --cpu-quota 25000 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
--cpu-period 50 busybox true
--cpu-quota 50 busybox true
--cpus 1 --cpu-quota 5000 busybox true
--cpuset-cpus 0 busybox cat /sys/fs/cgroup/cpuset/cpuset.cpus
--cpuset-cpus 4000 busybox true
--cpuset-cpus x busybox true
--cpuset-mems 4000 busybox true
--pids-limit 33 busybox cat /sys/fs/cgroup/pids/pids.max
--pids-limit -1 busybox cat /sys/fs/cgroup/pids/pids.max
--blkio-weight 3 busybox true
--device-read-bps /dev/nosuch:1mb busybox true
--ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn'
--ulimit core=0 busybox sh -c 'ulimit -c'
--ulimit nofile=200:100 busybox true
--ulimit nosuch=1 busybox true
--oom-score-adj 50 busybox cat /proc/self/oom_score_adj
--oom-score-adj 5000 busybox true
--shm-size 1m busybox sh -c 'df -k /dev/shm | tail -1'
"""

ISOLATION = r"""
busybox grep -E '^(Cap|Seccomp:|NoNew)' /proc/self/status
--cap-drop ALL busybox grep CapEff /proc/self/status
--cap-add ALL --cap-drop SYS_ADMIN,SYS_RESOURCE busybox grep CapEff /proc/self/status
--security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
--security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
--security-opt seccomp=/no/such/file busybox true
--security-opt what=x busybox true
--sysctl net.core.somaxconn=77 busybox cat /proc/sys/net/core/somaxconn
--sysctl kernel.shmmax=77777 busybox cat /proc/sys/kernel/shmmax
--sysctl vm.swappiness=1 busybox true
--sysctl kernel.pid_max=1 busybox true
--hostname box --domainname example.org busybox sh -c 'hostname; cat /proc/sys/kernel/domainname /etc/hostname'
--uts host busybox true
--uts host --hostname x busybox true
--pid host busybox sh -c 'test $$ -gt 5 && echo host'
--ipc none busybox sh -c 'mount | grep -c shm'
--ipc private busybox sh -c 'mount | grep -c shm'
--ipc shareable busybox sh -c 'mount | grep -c shm'
--ipc bad busybox true
--pid bad busybox true
--cgroupns private busybox sh -c 'cut -d: -f2- /proc/self/cgroup | sort'
--cgroupns bad busybox true
--userns bad busybox true
--userns host busybox true
--read-only busybox touch /x
--init busybox cat /proc/1/cmdline
--device /dev/zero:/dev/mine busybox sh -c 'ls -l /dev/mine | cut -c1-10; head -c 3 /dev/mine | wc -c'
--device /dev/zero:/dev/mine:r busybox sh -c 'echo x > /dev/mine'
--device /dev/nosuch busybox true
--device /dev/zero:/dev/z:q busybox true
--device-cgroup-rule 'c 1:11 r' busybox sh -c 'mknod /tmp/k c 1 11; dd if=/tmp/k of=/dev/null bs=4096 count=1 2>/dev/null; echo $?'
--device-cgroup-rule 'x 1:11 r' busybox true
--gpus all busybox true
--group-add 5 --group-add nogroup busybox id
--group-add nosuch busybox id
-u 5:6 busybox id
-u nobody busybox sh -c 'id; echo $HOME'
-u nosuch busybox id
-u root:nosuch busybox id
-u -5 busybox id
-w /a/b busybox sh -c 'pwd; ls -ld /a/b | cut -c1-10'
-w /etc/passwd busybox pwd
-e =b busybox env
--stop-signal NOSUCH busybox true
--entrypoint echo busybox hi
--health-interval 1us --health-cmd x busybox true
--health-retries -1 --health-cmd x busybox true
"""

MOUNTS = r"""
--read-only --tmpfs /x busybox sh -c 'touch /x/y; mount | grep " /x "'
--tmpfs /x:size=1m,mode=700,exec busybox sh -c 'mount | grep " /x "; ls -ld /x | cut -c1-10'
--tmpfs x busybox true
--mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=1770 busybox sh -c 'mount | grep " /x "'
--mount type=bind,src=/no/such,dst=/x busybox true
--mount type=bind,src=/tmp busybox true
--mount type=bind,src=/tmp,dst=/ busybox true
--mount type=what,src=/tmp,dst=/x busybox true
--mount type=tmpfs,src=/tmp,dst=/x busybox true
--mount type=bind,src=/tmp,dst=/x,bind-propagation=bad busybox true
-v /tmp:/x:bad busybox true
-v /tmp:/ busybox true
-v a:b:c:d busybox true
-v /tmp:/x -v /etc:/x busybox true
-v 'in valid:/x' busybox true
-v /proc/sys:/ps:ro,rslave busybox true
-v /etc:/x:shared busybox true
-v /etc/hostname:/hn:ro busybox sh -c 'echo x > /hn'
-v /etc/passwd:/etc/hosts busybox head -1 /etc/hosts
-v knsame1:/bin busybox sh -c 'ls /bin | wc -l'
-v knsame2:/var/www busybox cat /var/www/index.html
-v knsame3:/var/www:nocopy busybox sh -c 'ls /var/www | wc -l'
--mount type=volume,src=knsame4,dst=/var/www,volume-nocopy busybox sh -c 'ls /var/www | wc -l'
--volumes-from nosuch busybox true
"""

VOLUMES = r"""
volume create knv
volume create knv
volume create !bad
volume create x
volume create -d nosuch knv2
volume create -o type=tmpfs knv3
volume create -o colour=red knv3
volume create -o size=1g knv3
volume create --label a=b --label c -o type=tmpfs -o device=tmpfs -o o=size=1m knv4
volume ls -q
volume ls -q --filter dangling=true
volume ls -q --filter label=a=b
volume ls -q --filter name=v4
volume ls --filter colour=red
volume ls --filter dangling=maybe
volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}}' knv knv4
volume inspect nosuch
volume rm nosuch
volume rm -f nosuch
run --name t1 --network none -v knv:/data busybox sh -c 'echo hi > /data/f'
volume rm knv
volume ls -q --filter dangling=false
inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.Driver}} {{.Mode}} {{.RW}} {{.Propagation}}{{end}}' t1
run --rm --network none -v knv:/d:ro busybox sh -c 'cat /d/f; touch /d/g'
run --rm --network none --volumes-from t1 busybox cat /data/f
run --rm --network none --volumes-from t1:ro busybox touch /data/g
run --rm --network none --volumes-from t1:bad busybox true
run --rm --network none -v knv4:/t busybox sh -c 'mount | grep " /t " | cut -d" " -f1-5; df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
rm -v t1
volume rm knv knv4
volume ls -q
"""

SHARED = r"""
run -d --name t1 --network none --ipc shareable busybox sh -c 'echo shared > /dev/shm/f; sleep 60'
run --rm --network none --ipc container:t1 busybox sh -c 'while ! [ -e /dev/shm/f ]; do sleep 0.05; done; cat /dev/shm/f'
run --rm --network none --pid container:t1 busybox sh -c 'test $$ -gt 1 && cat /proc/1/comm'
run --rm --network container:t1 busybox hostname
run --rm --network container:t1 -p 80:80 busybox true
run --rm --network container:t1 --hostname x busybox true
run --rm --network container:nosuch busybox true
run --rm --network none --ipc container:nosuch busybox true
exec t1 id
exec -u nobody t1 sh -c 'id; echo $HOME'
exec -u 5:6 -w /tmp -e A=b t1 sh -c 'id; pwd; echo $A'
exec -u nosuch t1 id
exec nosuch true
"""


def lines(block: str) -> Iterator[tuple[str, ...]]:
    for line in block.strip().splitlines():
        yield tuple(shlex.split(line))


ALONE = [
    Case(" ".join(words)[:60], (("run", "--rm", "--network", "none", *words),))
    for block in (LIMITS, ISOLATION, MOUNTS)
    for words in lines(block)
]
TOGETHER = [Case("volumes", tuple(lines(VOLUMES))), Case("shared", tuple(lines(SHARED)))]


@pytest.mark.parametrize("case", [*ALONE, *TOGETHER], ids=lambda case: case.name)
def test_knarr_answers_as_docker_does(case: Case, daemon: Daemon, dockerd: Docker) -> None:
    expected = transcript(dockerd, case)
    assert transcript(daemon.docker, case) == expected


@pytest.fixture(autouse=True, scope="module")
def _no_volume_stays(daemon: Daemon) -> Iterator[None]:
    yield
    for number in range(1, 5):
        daemon.docker("volume", "rm", "-f", f"knsame{number}")
