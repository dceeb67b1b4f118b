# ruff: noqa: E501 (tables: a case is a line)
"""The flags of ``run`` and ``create``, and the body that each makes.

Every expectation is what docker's own client sends, zero values left out; the end-to-end tests ask
it again where it is installed.
"""

import shlex
from pathlib import Path
from typing import Any

import pytest

from knarr.cli.create.options import ContainerOptions
from knarr.cli.create.plan import container_create
from knarr.cli.exit import BadFlag
from knarr.cli.parse import parse
from knarr.cli.words import load
from knarr.errors import InvalidArgument, KnarrError
from knarr.spec import decode
from knarr.spec.docker.container import ContainerCreate
from support.bodies import without_zeros

ENVIRON = {"HOME": "/root", "B": "2"}


def body(line: str) -> dict[str, Any]:
    """What ``create LINE busybox`` would send; Image and the usual defaults left out."""
    command = load("container create")
    assert command is not None
    parsed = parse([*shlex.split(line), "busybox", "cmd"], command.options, interspersed=False)
    image, *words = parsed.arguments
    options = ContainerOptions(**parsed.values)
    made = container_create(options, image, words, environ=ENVIRON)
    found = without_zeros(made)
    assert found.pop("Image") == "busybox"
    assert found.pop("Cmd") == ["cmd"]
    host = found["HostConfig"]
    if host.get("RestartPolicy") == {"Name": "no"}:
        del host["RestartPolicy"]
    if found.get("NetworkingConfig") == {"EndpointsConfig": {"default": {}}}:
        del found["NetworkingConfig"], host["NetworkMode"]
    if not host:
        del found["HostConfig"]
    if not line.startswith(("-a", "--attach")):
        assert found.pop("AttachStdout")
        assert found.pop("AttachStderr")
    assert isinstance(found, dict)
    return found


def host(**values: Any) -> dict[str, Any]:
    return {"HostConfig": values}


CASES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("-it", {"AttachStdin": True, "OpenStdin": True, "StdinOnce": True, "Tty": True}),
    ("-a stdin", {"AttachStdin": True}),
    ("-a STDOUT", {"AttachStdout": True}),
    ("-h hh --domainname d -u 0:0 -w /x", {"Hostname": "hh", "Domainname": "d", "User": "0:0", "WorkingDir": "/x"}),
    ("-e A=1 -e B -e NOSUCH -e A=2", {"Env": ["A=2", "B=2", "NOSUCH"]}),
    ("-l a -l b=c -l d=e=f", {"Labels": {"a": "", "b": "c", "d": "e=f"}}),
    ("--entrypoint sh", {"Entrypoint": ["sh"]}),
    ("--entrypoint ''", {"Entrypoint": [""]}),
    ("--stop-signal TERM --stop-timeout 5", {"StopSignal": "TERM", "StopTimeout": 5}),
    ("--rm", host(AutoRemove=True)),
    ("--init", host(Init=True)),
    ("--privileged --read-only -P", host(Privileged=True, ReadonlyRootfs=True, PublishAllPorts=True)),
    ("--add-host a:1.2.3.4 --add-host b=host-gateway --add-host c=[::1]", host(ExtraHosts=["a:1.2.3.4", "b:host-gateway", "c:::1"])),
    ("--annotation a=b", host(Annotations={"a": "b"})),
    ("--cap-add net_admin --cap-add CAP_SYS_TIME --cap-add all --cap-drop kill", host(CapAdd=["ALL", "CAP_NET_ADMIN", "CAP_SYS_TIME"], CapDrop=["CAP_KILL"])),
    ("--cpus 1.5", host(NanoCpus=1_500_000_000)),
    ("--cpus .5", host(NanoCpus=500_000_000)),
    ("--cpus 1e3", host(NanoCpus=10**12)),
    ("--cpu-period 100 --cpu-quota 200 -c 4 --cpuset-cpus 0-1 --cpuset-mems 0", host(CpuPeriod=100, CpuQuota=200, CpuShares=4, CpusetCpus="0-1", CpusetMems="0")),
    ("-m 512m --memory-reservation 100m --memory-swap 1g", host(Memory=536870912, MemoryReservation=104857600, MemorySwap=1073741824)),
    ("--memory-swap -1 --memory-swappiness 50", host(MemorySwap=-1, MemorySwappiness=50)),
    ("--pids-limit -1 --oom-kill-disable --oom-score-adj 5", host(PidsLimit=-1, OomKillDisable=True, OomScoreAdj=5)),
    ("--shm-size 64m --ipc host --pid host --uts host --userns host --cgroupns private", host(ShmSize=67108864, IpcMode="host", PidMode="host", UTSMode="host", UsernsMode="host", CgroupnsMode="private")),
    ("--pid container:x", host(PidMode="container:x")),
    ("--blkio-weight 5 --blkio-weight-device /dev/sda:300", host(BlkioWeight=5, BlkioWeightDevice=[{"Path": "/dev/sda", "Weight": 300}])),
    ("--device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:5", host(BlkioDeviceReadBps=[{"Path": "/dev/sda", "Rate": 1048576}], BlkioDeviceWriteIOps=[{"Path": "/dev/sda", "Rate": 5}])),
    ("--device /dev/null:/dev/x:rw --device /dev/null:r", host(Devices=[
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rw"},
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "r"}])),
    ("--device vendor.com/class=name", host(DeviceRequests=[{"Driver": "cdi", "DeviceIDs": ["vendor.com/class=name"]}])),
    ("--device-cgroup-rule 'c 1:3 rwm'", host(DeviceCgroupRules=["c 1:3 rwm"])),
    ("--gpus all", host(DeviceRequests=[{"Count": -1, "Capabilities": [["gpu"]]}])),
    ("--gpus 2", host(DeviceRequests=[{"Count": 2, "Capabilities": [["gpu"]]}])),
    ("""--gpus '"device=0,1"'""", host(DeviceRequests=[{"DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}])),
    ("""--gpus '"capabilities=compute,utility",driver=nvidia,options=a=b'""", host(DeviceRequests=[
        {"Driver": "nvidia", "Count": 1, "Capabilities": [["compute", "utility", "gpu"]], "Options": {"a": "b"}}])),
    ("--dns 1.1.1.1 --dns-opt a --dns-option b --dns-search x.com", host(Dns=["1.1.1.1"], DnsOptions=["a", "b"], DnsSearch=["x.com"])),
    ("--group-add 5 --link a:b --volumes-from c:ro", host(GroupAdd=["5"], Links=["a:b"], VolumesFrom=["c:ro"])),
    ("--log-driver json-file --log-opt max-size=1m --log-opt foo", host(LogConfig={"Type": "json-file", "Config": {"foo": "", "max-size": "1m"}})),
    ("--restart on-failure:3", host(RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3})),
    ("--restart unless-stopped", host(RestartPolicy={"Name": "unless-stopped"})),
    ("--security-opt seccomp=unconfined --security-opt no-new-privileges --security-opt label:disable", host(SecurityOpt=["seccomp=unconfined", "no-new-privileges", "label:disable"])),
    ("--sysctl net.ipv4.ip_forward=1", host(Sysctls={"net.ipv4.ip_forward": "1"})),
    ("--storage-opt size=1g --runtime foo --volume-driver d", host(StorageOpt={"size": "1g"}, Runtime="foo", VolumeDriver="d")),
    ("--tmpfs /x --tmpfs /y:rw,size=5m", host(Tmpfs={"/x": "", "/y": "rw,size=5m"})),
    ("--ulimit nofile=10:20 --ulimit nproc=5 --ulimit nofile=-1", host(Ulimits=[{"Name": "nofile", "Soft": -1, "Hard": -1}, {"Name": "nproc", "Soft": 5, "Hard": 5}])),
    ("--health-cmd 'curl x' --health-interval 5s --health-retries 3 --health-timeout 2s", {"Healthcheck": {"Test": ["CMD-SHELL", "curl x"], "Interval": 5 * 10**9, "Timeout": 2 * 10**9, "Retries": 3}}),
    ("--no-healthcheck", {"Healthcheck": {"Test": ["NONE"]}}),
    ("--expose 80 --expose 90-92/udp", {"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}, "92/udp": {}}}),
    ("-v /a -v /b:/c:ro -v name:/d", {"Volumes": {"/a": {}}, **host(Binds=["/b:/c:ro", "name:/d"])}),
    ("-v /a:/b -v /a:/b", host(Binds=["/a:/b"])),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_flags_make_the_body_that_docker_sends(line: str, expected: dict[str, Any]) -> None:
    assert body(line) == expected


@pytest.mark.parametrize(
    ("line", "port", "bindings"),
    [
        ("80", "80/tcp", [("", "")]),
        ("80:81", "81/tcp", [("", "80")]),
        ("127.0.0.1:80:81/udp", "81/udp", [("127.0.0.1", "80")]),
        ("127.0.0.1::81", "81/tcp", [("127.0.0.1", "")]),
        ("[::1]:80:81", "81/tcp", [("::1", "80")]),
        ("::1:80:81", "81/tcp", [("::1", "80")]),
        ("80-82:90", "90/tcp", [("", "80-82")]),
        ("8080-8080:80", "80/tcp", [("", "8080")]),
        (":80", "80/tcp", [("", "")]),
        ("80/TCP", "80/tcp", [("", "")]),
        ("1-2:3-4/sctp", "4/sctp", [("", "2")]),
        ("published=80,target=81,protocol=udp", "81/udp", [("", "80")]),
        ("80:80 -p 80:80 -p 81:80", "80/tcp", [("", "80"), ("", "80"), ("", "81")]),
    ],
)
def test_ports_are_published(line: str, port: str, bindings: list[tuple[str, str]]) -> None:
    found = body(f"-p {line}")
    assert port in found["ExposedPorts"]
    assert [
        (each.get("HostIp", ""), each.get("HostPort", ""))
        for each in found["HostConfig"]["PortBindings"][port]
    ] == bindings


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,source=/a,target=/b", {"Type": "bind", "Source": "/a", "Target": "/b"}),
        ("type=bind,src=/a,dst=/b,readonly", {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}),
        ("source=v,target=/b", {"Type": "volume", "Source": "v", "Target": "/b"}),
        ("dst=/b", {"Type": "volume", "Target": "/b"}),
        ("TYPE=bind,SRC=/a,target=/b", {"Type": "bind", "Source": "/a", "Target": "/b"}),
        ("type=bind,src=/a,dst=/b,ro=true,bind-propagation=rslave", {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"}}),
        ("type=bind,src=/a,dst=/b,bind-recursive=writable,readonly", {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True, "BindOptions": {"ReadOnlyNonRecursive": True}}),
        ("dst=/b,src=v,volume-nocopy,volume-driver=d,volume-opt=a=b,volume-label=c=d,volume-subpath=s", {
            "Type": "volume", "Source": "v", "Target": "/b", "VolumeOptions": {
                "NoCopy": True, "Labels": {"c": "d"}, "Subpath": "s", "DriverConfig": {"Name": "d", "Options": {"a": "b"}}}}),
        ("type=tmpfs,target=/b,tmpfs-size=5m,tmpfs-mode=1777", {"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 5242880, "Mode": 0o1777}}),
        ("type=image,src=busybox,target=/b,image-subpath=x", {"Type": "image", "Source": "busybox", "Target": "/b", "ImageOptions": {"Subpath": "x"}}),
        ("type=bind,src=/a,dst=/b,bind-create-src", {"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"CreateMountpoint": True}}),
        ("type=bind,src=/a,dst=/b,idmap", {"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"IDMap": True}}),
        ("src=v,dst=/b,volume-nocopy,idmap=true", {"Type": "volume", "Source": "v", "Target": "/b", "VolumeOptions": {"NoCopy": True, "IDMap": True}}),
        ("type=npipe,src=a,dst=/b", {"Type": "npipe", "Source": "a", "Target": "/b"}),
        ('type=bind,"src=/a,b",target=/c', {"Type": "bind", "Source": "/a,b", "Target": "/c"}),
    ],
)  # fmt: skip
def test_mounts_are_read(text: str, mount: dict[str, Any]) -> None:
    assert body(f"--mount '{text}'") == host(Mounts=[mount])


@pytest.mark.parametrize(
    ("line", "mode", "endpoints"),
    [
        ("--network foo", "foo", {}),
        ("--network host", "host", {}),
        ("--network container:x", "container:x", {}),
        ("--net a --net-alias x", "a", {"a": {"Aliases": ["x"]}}),
        ("--network a --network b", "a", {"a": {}, "b": {}}),
        ("--ip 1.2.3.4", "default", {"default": {"IPAMConfig": {"IPv4Address": "1.2.3.4"}}}),
        ("--network a --ip 1.2.3.4 --ip6 ::5 --link-local-ip 169.254.1.1", "a", {"a": {"IPAMConfig": {
            "IPv4Address": "1.2.3.4", "IPv6Address": "::5", "LinkLocalIPs": ["169.254.1.1"]}}}),
        ("--network name=a,alias=x,ip=1.2.3.4,driver-opt=k=v,mac-address=02:42:ac:11:00:02,gw-priority=5", "a", {
            "a": {"Aliases": ["x"], "IPAMConfig": {"IPv4Address": "1.2.3.4"}, "DriverOpts": {"k": "v"},
                  "MacAddress": "02:42:ac:11:00:02", "GwPriority": 5}}),
        ("--network a --link b:c", "a", {"a": {"Links": ["b:c"]}}),
        ("--network a --network b --network-alias q", "a", {"a": {"Aliases": ["q"]}, "b": {}}),
    ],
)  # fmt: skip
def test_networks_are_joined(line: str, mode: str, endpoints: dict[str, Any]) -> None:
    found = body(line)
    assert found["HostConfig"]["NetworkMode"] == mode
    assert found.get("NetworkingConfig", {}).get("EndpointsConfig", {}) == endpoints


REFUSED: list[tuple[str, str]] = [
    ("--add-host a", 'bad format for add-host: "a"'),
    ("--add-host a:x", 'invalid IP address in add-host: "x"'),
    ("-a foo", "valid streams are STDIN, STDOUT and STDERR"),
    ("--blkio-weight 99999", 'strconv.ParseUint: parsing "99999": value out of range'),
    ("--blkio-weight-device /dev/sda:5", "invalid weight for device: /dev/sda:5"),
    ("--blkio-weight-device sda:300", "bad format for device path: sda:300"),
    ("--cpus 1/3", "value is too precise"),
    ("--cpus abc", "failed to parse abc as a rational number"),
    ("--cpus nan", "failed to parse nan as a rational number"),
    ("--device foo", "foo is not an absolute path"),
    ("--device /a:/b:/c:/d", "bad format for path: /a:/b:/c:/d"),
    ("--device-cgroup-rule foo", "invalid device cgroup format 'foo'"),
    ("--device-read-bps /dev/sda:x", "invalid rate for device: /dev/sda:x."),
    ("--device-read-iops /dev/sda:-1", "invalid rate for device: /dev/sda:-1."),
    ("--dns foo", "IP address is not correctly formatted: foo"),
    ("--dns-search 'bad domain'", "bad domain is not a valid domain"),
    ("-e =x", "invalid environment variable: =x"),
    ("-e ''", "invalid environment variable: "),
    ("--env-file /nonexist", "open /nonexist: no such file or directory"),
    ("--expose 80:90", "invalid port format for --expose: 80:90"),
    ("--expose x", 'invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax'),
    ("--gpus x", 'invalid count (x): value must be either "all" or an integer'),
    ("--gpus driver=x,driver=y", "gpu request key 'driver' can be specified only once"),
    ("--health-interval -1s", "--health-interval cannot be negative"),
    ("--health-start-period -1s", "--health-start-period cannot be negative"),
    ("--health-retries -1", "--health-retries cannot be negative"),
    ("--no-healthcheck --health-cmd x", "--no-healthcheck conflicts with --health-* options"),
    ("-l =x", "invalid label '=x': empty name"),
    ("--log-driver none --log-opt a=b", "invalid logging opts for driver none"),
    ("--mac-address foo", "foo is not a valid mac address"),
    ("--memory-swap -2", "invalid size: '-2'"),
    ("--memory-swappiness 500", "invalid value: 500. Valid memory swappiness range is 0-100"),
    ("--mount ''", "EOF"),
    ("--mount type=bind,src=/a", "target is required"),
    ("--mount type=,dst=/a", "type is required"),
    ("--mount type=bind,foo=bar,target=/b", "unexpected key 'foo' in 'foo=bar'"),
    ("--mount type=bind,foo,target=/b", "invalid field 'foo' must be a key=value pair"),
    ("--mount type=volume,bind-propagation=x,target=/b", "cannot mix 'bind-*' options with mount type 'volume'"),
    ("--mount type=tmpfs,target=/b,idmap", "idmap is for mounts of type bind and volume, not 'tmpfs'"),
    ("--mount type=bind,readonly=foo,target=/b", "invalid value for readonly: foo"),
    ("--mount type=tmpfs,target=/b,tmpfs-mode=999", "invalid value for tmpfs-mode: 999"),
    ("--mount type=bind,target=/b,bind-recursive=readonly", "requires 'readonly' to be specified in conjunction"),
    ("""--mount 'type=bind,src=/a"b,target=/c'""", 'parse error on line 1, column 17: bare " in non-quoted-field'),
    ("--network alias=x", "network name/id is not specified"),
    ("--network name=a,foo=x", "invalid field key foo"),
    ("--network ''", "no name set for network"),
    ("--network a --network a", 'network "a" is specified multiple times'),
    ("--network host --network foo", "cannot attach both user-defined and non-user-defined network-modes"),
    ("--network bridge --network-alias y", "network-scoped aliases are only supported for user-defined networks"),
    ("--network name=a,alias=x --network-alias y", "cannot specify both --network-alias and per-network alias"),
    ("--network name=a,gw-priority=x", "invalid gw-priority (x): invalid syntax"),
    ("-p 80/foo", "invalid proto: foo"),
    ("-p x", "invalid containerPort: x"),
    ("-p ''", "no port specified: <empty>"),
    ("-p 80:", "no port specified: 80:<empty>"),
    ("-p 1.2.3:80:81", "invalid IP address: 1.2.3"),
    ("-p 65536:80", "invalid hostPort: 65536"),
    ("-p 99999", "invalid containerPort: 99999"),
    ("-p 80-82:90-91", "invalid ranges specified for container and host Ports: 90-91 and 80-82"),
    ("-p [::1:80", "missing ']' in address"),
    ("--pid foo", "--pid: invalid PID mode"),
    ("--pid container:", "--pid: invalid PID mode"),
    ("--uts foo", "--uts: invalid UTS mode"),
    ("--userns private", "--userns: invalid USER mode"),
    ("--cgroupns foo", "--cgroupns: invalid CGROUP mode"),
    ("--restart on-failure:x", "invalid restart policy format: maximum retry count must be an integer"),
    ("--restart :3", "invalid restart policy format: no policy provided before colon"),
    ("--restart always --rm", "conflicting options: cannot specify both --restart and --rm"),
    ("--security-opt foo", 'Invalid --security-opt: "foo"'),
    ("--security-opt seccomp=/nonexist", "opening seccomp profile (/nonexist) failed: open /nonexist: no such file or directory"),
    ("--storage-opt x", "invalid storage option"),
    ("--sysctl kernel.foo=1", "sysctl 'kernel.foo=1' is not allowed"),
    ("--ulimit foo=1", "invalid ulimit type: foo"),
    ("--ulimit nofile=20:10", "ulimit soft limit must be less than or equal to hard limit: 20 > 10"),
    ("--ulimit nofile=1:2:3", "too many limit value arguments - 1:2:3"),
    ("-v :/b", "invalid spec: :/b: empty section between colons"),
    ("-v ''", "invalid empty volume spec"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "problem"), REFUSED)
def test_what_makes_no_sense_is_refused_in_dockers_words(line: str, problem: str) -> None:
    with pytest.raises(KnarrError) as refused:
        body(line)
    assert isinstance(refused.value, (BadFlag, InvalidArgument))
    assert problem in str(refused.value)


@pytest.mark.parametrize("line", [line for line, _ in CASES])
def test_every_key_is_one_that_the_engine_api_has(line: str) -> None:
    """A document forgets keys that it does not know: what comes back must be what went in."""
    command = load("container create")
    assert command is not None
    parsed = parse([*shlex.split(line), "busybox"], command.options, interspersed=False)
    options = ContainerOptions(**parsed.values)
    made = container_create(options, "busybox", [], environ=ENVIRON, size=(24, 80))
    from knarr.client.lean import dumps, loads
    from knarr.spec import encode

    back = loads(encode(decode(dumps(made), ContainerCreate)))
    assert without_zeros(back) == without_zeros(made)


def test_files_of_variables(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("\ufeffA=1\r\n# comment\n\nB\nNOSUCH\n  C=2\nD=a b\n", encoding="utf-8")
    found = body(f"--env-file {file} -e A=2")
    assert found["Env"] == ["A=1", "B=2", "C=2", "D=a b", "A=2"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A B=1\n", "variable 'A B' contains whitespaces"),
        ("=x\n", "no variable name on line '=x'"),
    ],
)
def test_a_broken_file_of_variables_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "env"
    file.write_text(text)
    with pytest.raises(InvalidArgument) as refused:
        body(f"--env-file {file}")
    assert str(refused.value) == f"invalid env file ({file}): {problem}"


def test_labels_of_a_file_take_nothing_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("a=1\nB\n")
    assert body(f"--label-file {file} -l a=2 -l c")["Labels"] == {"a": "2", "c": ""}


def test_a_seccomp_profile_is_sent_and_not_its_name(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{ "defaultAction": "SCMP_ACT_ALLOW" }')
    assert body(f"--security-opt seccomp={file}") == host(
        SecurityOpt=['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']
    )


def test_unconfined_system_paths_are_lists_without_paths() -> None:
    options = ContainerOptions(security_opt=("systempaths=unconfined",))
    made = container_create(options, "x", [], environ={})
    assert made["HostConfig"]["MaskedPaths"] == []
    assert made["HostConfig"]["ReadonlyPaths"] == []


def test_a_relative_source_is_a_path_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert body("-v ./x:/b -v .:/c -v ..:/d") == host(
        Binds=[f"{tmp_path}/x:/b", f"{tmp_path}:/c", f"{tmp_path.parent}:/d"]
    )
