"""The body of a create request from the flags: pure, but for the files that flags name."""

from __future__ import annotations

from knarr.client.lean import TYPE_CHECKING
from knarr.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from knarr.cli.create.options import ContainerOptions

PULL = ("always", "missing", "never")
_STREAMS = ("stdin", "stdout", "stderr")
_SECURITY_WORDS = ("no-new-privileges",)


def container_create(
    options: ContainerOptions,
    image: str,
    words: Sequence[str],
    *,
    environ: Mapping[str, str],
    size: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """A ContainerCreate. Raises InvalidArgument in Docker's words for what makes no sense.

    words: the command and its arguments.  environ: the client's own variables, for ``-e NAME``.
    size: rows and columns of the client's terminal.
    """
    host = host_config(options, size)
    mode, endpoints = _networks(options)
    host["NetworkMode"] = mode
    body = {
        **_process(options, image, words, environ),
        **_ports(options, host),
        **_volumes(options, host),
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": endpoints},
    }
    if (healthcheck := _healthcheck(options)) is not None:
        body["Healthcheck"] = healthcheck
    return body


def _process(
    options: ContainerOptions, image: str, words: Sequence[str], environ: Mapping[str, str]
) -> dict[str, Any]:
    attached = streams(options)
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": list(words) or None,
        "Hostname": options.hostname,
        "Domainname": options.domainname,
        "User": options.user,
        "WorkingDir": options.workdir,
        "Env": environment(options.env_file, options.env, environ),
        "Labels": labels(options.label_file, options.label),
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and "stdin" in attached,
        **{f"Attach{name.capitalize()}": name in attached for name in _STREAMS},
    }
    if options.entrypoint is not None:
        body["Entrypoint"] = [options.entrypoint]
    if options.stop_signal:
        body["StopSignal"] = options.stop_signal
    if options.stop_timeout:
        body["StopTimeout"] = options.stop_timeout
    return body


def streams(options: ContainerOptions) -> frozenset[str]:
    """The streams to attach to: those of -a, else both outputs; stdin as well with -i."""
    chosen = set(options.attach) or {"stdout", "stderr"}
    return frozenset(chosen | {"stdin"} if options.interactive else chosen)


def environment(
    files: Sequence[str], pairs: Sequence[str], environ: Mapping[str, str]
) -> list[str]:
    """Variables of the files, then those of the flags; ``NAME`` alone takes the client's value.

    A name that the client has not is sent alone: it takes the image's variable away.
    """
    found: list[str] = []
    if files:
        from knarr.cli.create.files import pairs_of

        for file in files:
            found += pairs_of(file, environ)
    said: dict[str, str] = {}
    for pair in pairs:
        name, equals, _ = pair.partition("=")
        said[name] = pair if equals or name not in environ else f"{name}={environ[name]}"
    return [*found, *said.values()]


def labels(files: Sequence[str], pairs: Sequence[str]) -> dict[str, str]:
    """Labels of the files, then those of the flags."""
    found: list[str] = []
    if files:
        from knarr.cli.create.files import pairs_of

        for file in files:
            found += pairs_of(file)
    return key_values([*found, *pairs])


def key_values(pairs: Sequence[str]) -> dict[str, str]:
    """``["a=1", "b"]`` as ``{"a": "1", "b": ""}``; the last of a name wins."""
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _healthcheck(options: ContainerOptions) -> dict[str, Any] | None:
    times = {
        "Interval": options.health_interval,
        "Timeout": options.health_timeout,
        "StartPeriod": options.health_start_period,
        "StartInterval": options.health_start_interval,
        "Retries": options.health_retries,
    }
    if not options.no_healthcheck and not options.health_cmd and not any(times.values()):
        return None
    if options.no_healthcheck:
        if options.health_cmd or any(times.values()):
            raise InvalidArgument("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for name, value in times.items():
        if value < 0:
            raise InvalidArgument(f"--health-{_dashed(name)} cannot be negative")
    check = {name: value for name, value in times.items() if value}
    return {"Test": ["CMD-SHELL", options.health_cmd], **check} if options.health_cmd else check


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def _ports(options: ContainerOptions, host: dict[str, Any]) -> dict[str, Any]:
    if not options.publish and not options.expose:
        return {}
    from knarr.cli.create.ports import exposed, published

    bindings = published(options.publish)
    host["PortBindings"] = bindings
    return {"ExposedPorts": {port: {} for port in bindings} | exposed(options.expose)}


def _volumes(options: ContainerOptions, host: dict[str, Any]) -> dict[str, Any]:
    if not options.volume:
        return {}
    from knarr.cli.create.mounts import volumes

    host["Binds"], anonymous = volumes(options.volume)
    return {"Volumes": anonymous}


def _networks(options: ContainerOptions) -> tuple[str, dict[str, Any]]:
    special = (
        options.network or options.ip or options.ip6 or options.mac_address
        or options.network_alias or options.link_local_ip
    )  # fmt: skip
    if not special:
        return "default", {"default": {}}
    from knarr.cli.create.networks import endpoints

    return endpoints(options)


def resources(options: ContainerOptions) -> dict[str, Any]:
    """The limits."""
    if options.memory_swappiness != -1 and not 0 <= options.memory_swappiness <= 100:
        raise InvalidArgument(
            f"invalid value: {options.memory_swappiness}. Valid memory swappiness range is 0-100"
        )
    values: dict[str, Any] = {
        "CgroupParent": options.cgroup_parent,
        "Memory": options.memory,
        "MemoryReservation": options.memory_reservation,
        "MemorySwap": options.memory_swap,
        "NanoCpus": options.cpus,
        "CpuShares": options.cpu_shares,
        "CpuPeriod": options.cpu_period,
        "CpuQuota": options.cpu_quota,
        "CpuRealtimePeriod": options.cpu_rt_period,
        "CpuRealtimeRuntime": options.cpu_rt_runtime,
        "CpusetCpus": options.cpuset_cpus,
        "CpusetMems": options.cpuset_mems,
        "CpuCount": options.cpu_count,
        "CpuPercent": options.cpu_percent,
        "IOMaximumIOps": options.io_maxiops,
        "IOMaximumBandwidth": options.io_maxbandwidth,
        "PidsLimit": options.pids_limit,
        "BlkioWeight": options.blkio_weight,
        "BlkioWeightDevice": list(options.blkio_weight_device),
        "BlkioDeviceReadBps": list(options.device_read_bps),
        "BlkioDeviceWriteBps": list(options.device_write_bps),
        "BlkioDeviceReadIOps": list(options.device_read_iops),
        "BlkioDeviceWriteIOps": list(options.device_write_iops),
        "DeviceCgroupRules": list(options.device_cgroup_rule),
        "OomKillDisable": options.oom_kill_disable,
        "Ulimits": [limit for _, limit in sorted(
            {str(limit["Name"]): limit for limit in options.ulimit}.items())],
    }  # fmt: skip
    values = {name: value for name, value in values.items() if value}
    if options.memory_swappiness != -1:
        values["MemorySwappiness"] = options.memory_swappiness
    return values | _devices(options)


def _devices(options: ContainerOptions) -> dict[str, Any]:
    requests: list[dict[str, Any]] = list(options.gpus)
    if not options.device:
        return {"DeviceRequests": requests} if requests else {}
    from knarr.cli.create.devices import device_mapping, is_cdi

    by_name = [text for text in options.device if is_cdi(text)]
    if by_name:
        requests.append({"Driver": "cdi", "DeviceIDs": by_name})
    mappings = [device_mapping(text) for text in options.device if not is_cdi(text)]
    return {"DeviceRequests": requests, "Devices": mappings}


def host_config(options: ContainerOptions, size: tuple[int, int]) -> dict[str, Any]:
    """The HostConfig, without networks, ports and binds."""
    _check_modes(options)
    policy = restart_policy(options.restart)
    if options.rm and policy["Name"] not in ("", "no"):
        raise InvalidArgument("conflicting options: cannot specify both --restart and --rm")
    security, unconfined = security_options(options.security_opt)
    log_options = key_values(options.log_opt)
    if options.log_driver == "none" and log_options:
        raise InvalidArgument("invalid logging opts for driver none")
    host: dict[str, Any] = {
        "AutoRemove": options.rm,
        "Annotations": key_values(options.annotation),
        "CapAdd": capabilities(options.cap_add),
        "CapDrop": capabilities(options.cap_drop),
        "CgroupnsMode": options.cgroupns,
        "ContainerIDFile": options.cidfile,
        "Dns": list(options.dns),
        "DnsOptions": list(options.dns_option),
        "DnsSearch": list(options.dns_search),
        "ExtraHosts": list(options.add_host),
        "GroupAdd": list(options.group_add),
        "IpcMode": options.ipc,
        "Isolation": options.isolation,
        "Links": list(options.link),
        "Mounts": list(options.mount),
        "OomScoreAdj": options.oom_score_adj,
        "PidMode": options.pid,
        "Privileged": options.privileged,
        "PublishAllPorts": options.publish_all,
        "ReadonlyRootfs": options.read_only,
        "Runtime": options.runtime,
        "SecurityOpt": security,
        "ShmSize": options.shm_size,
        "StorageOpt": storage_options(options.storage_opt),
        "Sysctls": dict(options.sysctl),
        "Tmpfs": _tmpfs(options.tmpfs),
        "UTSMode": options.uts,
        "UsernsMode": options.userns,
        "VolumeDriver": options.volume_driver,
        "VolumesFrom": list(options.volumes_from),
    }
    host = {name: value for name, value in host.items() if value}
    host["RestartPolicy"] = policy
    host["LogConfig"] = {"Type": options.log_driver, "Config": log_options}
    if any(size):
        host["ConsoleSize"] = list(size)
    if options.init is not None:
        host["Init"] = options.init
    if unconfined:
        host["MaskedPaths"] = host["ReadonlyPaths"] = []
    return host | resources(options)


def _tmpfs(specs: Sequence[str]) -> dict[str, str]:
    return {path: settings for path, _, settings in (spec.partition(":") for spec in specs)}


def _check_modes(options: ContainerOptions) -> None:
    refused = (
        (options.pid, "--pid: invalid PID mode", ("", "host")),
        (options.uts, "--uts: invalid UTS mode", ("", "host")),
        (options.userns, "--userns: invalid USER mode", ("", "host")),
        (options.cgroupns, "--cgroupns: invalid CGROUP mode", ("", "host", "private")),
    )
    for value, problem, known in refused:
        other = value.removeprefix("container:") if problem.startswith("--pid") else value
        if value not in known and (other == value or not other):
            raise InvalidArgument(problem)


def capabilities(names: Sequence[str]) -> list[str]:
    """Sorted, each once, in capitals and with their prefix; ALL first."""
    found = {
        name if (name := each.upper()) == "ALL" or name.startswith("CAP_") else f"CAP_{name}"
        for each in names
    }
    return sorted(found, key=lambda name: (name != "ALL", name))


def restart_policy(text: str) -> dict[str, Any]:
    """``on-failure:3``"""
    name, colon, count = text.partition(":")
    policy: dict[str, Any] = {"Name": name, "MaximumRetryCount": 0}
    if not colon:
        return policy
    if not name:
        raise InvalidArgument("invalid restart policy format: no policy provided before colon")
    try:
        policy["MaximumRetryCount"] = int(count)
    except ValueError:
        raise InvalidArgument(
            "invalid restart policy format: maximum retry count must be an integer"
        ) from None
    return policy


def storage_options(pairs: Sequence[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        raise InvalidArgument("invalid storage option")
    return key_values(pairs)


def security_options(options: Sequence[str]) -> tuple[list[str], bool]:
    """The options for the engine, a seccomp profile's text in place of its file's name.

    The second answer is whether ``systempaths=unconfined`` was among them.
    """
    found, unconfined = [], False
    for option in options:
        mark = "=" if "=" in option else ":"
        name, given, value = option.partition(mark)
        if option == "systempaths=unconfined":
            unconfined = True
            continue
        if not given and name not in _SECURITY_WORDS:
            raise InvalidArgument(f'Invalid --security-opt: "{option}"')
        if name == "seccomp" and value not in ("unconfined", "builtin"):
            option = f"seccomp={_profile(value)}"
        found.append(option)
    return found, unconfined


def _profile(path: str) -> str:
    from knarr.client.lean import dumps, loads

    try:
        with open(path, encoding="utf-8") as file:
            return dumps(loads(file.read()))
    except OSError as error:
        raise InvalidArgument(
            f"opening seccomp profile ({path}) failed: open {path}: "
            f"{(error.strerror or '').lower()}"
        ) from error
    except ValueError as error:
        raise InvalidArgument(
            f"compacting json for seccomp profile ({path}) failed: {error}"
        ) from error
