"""The flags that ``run`` and ``create`` share. Source: docker-cli reference, container run."""

from knarr.cli.command import BOOL, Annotated, Flag, FlagGroup, Kind, integer
from knarr.cli.flags import BYTES, DURATION, INT64, SWAP
from knarr.errors import InvalidArgument

Words = tuple[str, ...]


def _lazily(module: str, name: str):  # type: ignore[no-untyped-def]
    """A reader whose module is imported when the first such flag is read."""

    def read(text: str) -> object:
        loaded = __import__(f"knarr.cli.create.{module}", fromlist=(name,))
        return getattr(loaded, name)(text)

    return read


def _env(text: str) -> str:
    if not text or text[0] == "=":
        raise InvalidArgument(f"invalid environment variable: {text}")
    return text


def _label(text: str) -> str:
    if not text or text[0] == "=":
        raise InvalidArgument(f"invalid label '{text}': empty name")
    return text


def _stream(text: str) -> str:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise InvalidArgument("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def _weight(text: str) -> int:
    return integer(text, function="ParseUint", low=0, high=2**16)


ENV, LABEL, STREAM = Kind("list", _env), Kind("list", _label), Kind("list", _stream)
MAP = Kind("map", str)
WEIGHT = Kind("uint16", _weight, zero="0")
HOST = Kind("list", _lazily("networks", "extra_host"))
DOMAIN = Kind("list", _lazily("networks", "search_domain"))
ADDRESS = Kind("list", _lazily("networks", "address"))
NETWORK = Kind("network", _lazily("networks", "attachment"))
MOUNT = Kind("mount", _lazily("mounts", "mount"))
CPUS = Kind("decimal", _lazily("devices", "nano_cpus"))
ULIMIT = Kind("ulimit", _lazily("devices", "ulimit"))
GPUS = Kind("gpu-request", _lazily("devices", "gpu_request"))
RULE = Kind("list", _lazily("devices", "cgroup_rule"))
RATE_BYTES = Kind("list", _lazily("devices", "rate_bytes"))
RATE_OPERATIONS = Kind("list", _lazily("devices", "rate_operations"))
WEIGHT_DEVICE = Kind("list", _lazily("devices", "weight_device"))
SYSCTL = Kind("map", _lazily("devices", "sysctl"))
IP = Kind("ip", str)


class ContainerOptions(FlagGroup):
    """What a container shall be like."""

    add_host: Annotated[Words, Flag("Add an entry to /etc/hosts: NAME:IP", kind=HOST)] = ()
    annotation: Annotated[
        Words, Flag("Add an annotation for the OCI runtime", kind=MAP, since="1.43")
    ] = ()
    attach: Annotated[
        Words, Flag("Attach to STDIN, STDOUT or STDERR", short="-a", kind=STREAM)
    ] = ()
    blkio_weight: Annotated[
        int, Flag("Relative weight of block I/O, 10 to 1000, or 0 for none", kind=WEIGHT)
    ] = 0
    blkio_weight_device: Annotated[
        tuple[dict[str, object], ...], Flag("The same for one device", kind=WEIGHT_DEVICE)
    ] = ()
    cap_add: Annotated[Words, Flag("Grant a kernel capability")] = ()
    cap_drop: Annotated[Words, Flag("Revoke a kernel capability")] = ()
    cgroup_parent: Annotated[str, Flag("Parent cgroup of the container")] = ""
    cgroupns: Annotated[
        str,
        Flag(
            "Cgroup namespace: 'host' for the engine's own, 'private' for one of the "
            "container's, '' for the engine's default",
            since="1.41",
        ),
    ] = ""
    cidfile: Annotated[str, Flag("Write the container ID to this file")] = ""
    cpu_count: Annotated[int, Flag("CPU count (Windows)", kind=INT64, windows=True)] = 0
    cpu_percent: Annotated[int, Flag("CPU percent (Windows)", kind=INT64, windows=True)] = 0
    cpu_period: Annotated[int, Flag("Period of the CPU quota, in microseconds")] = 0
    cpu_quota: Annotated[int, Flag("CPU time in each period, in microseconds")] = 0
    cpu_rt_period: Annotated[int, Flag("Period of the real-time quota, in microseconds")] = 0
    cpu_rt_runtime: Annotated[int, Flag("Real-time CPU in each period, in microseconds")] = 0
    cpu_shares: Annotated[int, Flag("Relative weight of CPU", short="-c")] = 0
    cpus: Annotated[int, Flag("Number of CPUs, as a decimal", kind=CPUS, shown="")] = 0
    cpuset_cpus: Annotated[str, Flag("CPUs to run on (0-3, 0,1)")] = ""
    cpuset_mems: Annotated[str, Flag("Memory nodes to use (0-3, 0,1)")] = ""
    device: Annotated[Words, Flag("Give the container a device of the host")] = ()
    device_cgroup_rule: Annotated[Words, Flag("Add a rule to the allowed devices", kind=RULE)] = ()
    device_read_bps: Annotated[
        tuple[dict[str, object], ...], Flag("Limit bytes read a second", kind=RATE_BYTES)
    ] = ()
    device_read_iops: Annotated[
        tuple[dict[str, object], ...], Flag("Limit reads a second", kind=RATE_OPERATIONS)
    ] = ()
    device_write_bps: Annotated[
        tuple[dict[str, object], ...], Flag("Limit bytes written a second", kind=RATE_BYTES)
    ] = ()
    device_write_iops: Annotated[
        tuple[dict[str, object], ...], Flag("Limit writes a second", kind=RATE_OPERATIONS)
    ] = ()
    disable_content_trust: Annotated[bool, Flag("No effect", hidden=True)] = True
    dns: Annotated[Words, Flag("Address of a name server", kind=ADDRESS)] = ()
    dns_option: Annotated[Words, Flag("Option of the resolver", also=("dns-opt",))] = ()
    dns_search: Annotated[Words, Flag("Search domain of the resolver", kind=DOMAIN)] = ()
    domainname: Annotated[str, Flag("NIS domain name of the container")] = ""
    entrypoint: Annotated[str | None, Flag("Replace the image's entrypoint")] = None
    env: Annotated[Words, Flag("Set an environment variable", short="-e", kind=ENV)] = ()
    env_file: Annotated[Words, Flag("Read environment variables from a file")] = ()
    expose: Annotated[Words, Flag("Expose a port or a range of ports")] = ()
    gpus: Annotated[
        tuple[dict[str, object], ...],
        Flag("GPUs to give the container ('all' for all of them)", kind=GPUS, since="1.40"),
    ] = ()
    group_add: Annotated[Words, Flag("Join a further group")] = ()
    health_cmd: Annotated[str, Flag("Command that checks health")] = ""
    health_interval: Annotated[int, Flag("Time between two checks (ms|s|m|h)", kind=DURATION)] = 0
    health_retries: Annotated[int, Flag("Failures in a row until unhealthy")] = 0
    health_start_interval: Annotated[
        int,
        Flag("Time between checks while starting (ms|s|m|h)", kind=DURATION, since="1.44"),
    ] = 0
    health_start_period: Annotated[
        int, Flag("Time in which failures do not count (ms|s|m|h)", kind=DURATION, since="1.29")
    ] = 0
    health_timeout: Annotated[
        int, Flag("Longest time that one check may take (ms|s|m|h)", kind=DURATION)
    ] = 0
    hostname: Annotated[str, Flag("Host name of the container", short="-h")] = ""
    init: Annotated[
        bool | None,
        Flag("Run an init as PID 1 that forwards signals and reaps processes", kind=BOOL),
    ] = None
    interactive: Annotated[bool, Flag("Keep STDIN open", short="-i")] = False
    io_maxbandwidth: Annotated[
        int, Flag("Bytes a second of the system drive (Windows)", kind=BYTES, windows=True)
    ] = 0
    io_maxiops: Annotated[int, Flag("I/Os of the system drive (Windows)", windows=True)] = 0
    ip: Annotated[str, Flag("IPv4 address of the container (172.30.100.104)", kind=IP)] = ""
    ip6: Annotated[str, Flag("IPv6 address of the container (2001:db8::33)", kind=IP)] = ""
    ipc: Annotated[str, Flag("IPC namespace to use")] = ""
    isolation: Annotated[str, Flag("Isolation technology (Windows)", hidden=True)] = ""
    kernel_memory: Annotated[int, Flag("No effect", kind=BYTES, hidden=True)] = 0
    label: Annotated[Words, Flag("Label the container", short="-l", kind=LABEL)] = ()
    label_file: Annotated[Words, Flag("Read labels from a file")] = ()
    link: Annotated[Words, Flag("Link to another container")] = ()
    link_local_ip: Annotated[Words, Flag("Link-local address of the container")] = ()
    log_driver: Annotated[str, Flag("Logging driver")] = ""
    log_opt: Annotated[Words, Flag("Option of the logging driver")] = ()
    mac_address: Annotated[str, Flag("MAC address of the container (92:d0:c6:0a:29:33)")] = ""
    memory: Annotated[int, Flag("Memory limit", short="-m", kind=BYTES)] = 0
    memory_reservation: Annotated[int, Flag("Soft memory limit", kind=BYTES)] = 0
    memory_swap: Annotated[
        int, Flag("Limit of memory and swap together: '-1' for unlimited swap", kind=SWAP)
    ] = 0
    memory_swappiness: Annotated[int, Flag("Readiness to swap, 0 to 100")] = -1
    mount: Annotated[
        tuple[dict[str, object], ...], Flag("Mount a volume, folder or tmpfs", kind=MOUNT)
    ] = ()
    name: Annotated[str, Flag("Name of the container")] = ""
    network: Annotated[
        tuple[dict[str, object], ...],
        Flag("Connect the container to a network", kind=NETWORK, also=("net",)),
    ] = ()
    network_alias: Annotated[
        Words, Flag("Add a name of the container on its network", also=("net-alias",))
    ] = ()
    no_healthcheck: Annotated[bool, Flag("Turn off the image's health check")] = False
    oom_kill_disable: Annotated[bool, Flag("Spare the container from the OOM killer")] = False
    oom_score_adj: Annotated[int, Flag("OOM preference of the host, -1000 to 1000")] = 0
    pid: Annotated[str, Flag("PID namespace to use")] = ""
    pids_limit: Annotated[int, Flag("Limit of processes: -1 for unlimited")] = 0
    platform: Annotated[str, Flag("Platform, where the image has several", since="1.32")] = ""
    privileged: Annotated[bool, Flag("Give the container all privileges")] = False
    publish: Annotated[Words, Flag("Publish a port of the container on the host", short="-p")] = ()
    publish_all: Annotated[
        bool, Flag("Publish all exposed ports on ports that are free", short="-P")
    ] = False
    pull: Annotated[
        str, Flag("Fetch the image before creating: 'always', 'missing' or 'never'")
    ] = "missing"
    quiet: Annotated[bool, Flag("Do not show the image being fetched", short="-q")] = False
    read_only: Annotated[bool, Flag("Make the container's root file system read-only")] = False
    restart: Annotated[str, Flag("What to do when the container exits")] = "no"
    rm: Annotated[bool, Flag("Remove the container and its anonymous volumes when it exits")] = (
        False
    )
    runtime: Annotated[str, Flag("OCI runtime to use")] = ""
    security_opt: Annotated[Words, Flag("Security option")] = ()
    shm_size: Annotated[int, Flag("Size of /dev/shm", kind=BYTES)] = 0
    stop_signal: Annotated[str, Flag("Signal that stops the container")] = ""
    stop_timeout: Annotated[
        int, Flag("Seconds to wait before the container is killed", since="1.25")
    ] = 0
    storage_opt: Annotated[Words, Flag("Option of the storage driver")] = ()
    sysctl: Annotated[tuple[tuple[str, str], ...], Flag("Set a kernel parameter", kind=SYSCTL)] = ()
    tmpfs: Annotated[Words, Flag("Mount a tmpfs")] = ()
    tty: Annotated[bool, Flag("Give the container a terminal", short="-t")] = False
    ulimit: Annotated[
        tuple[dict[str, object], ...], Flag("Limit of a process's resources", kind=ULIMIT)
    ] = ()
    use_api_socket: Annotated[bool, Flag("Mount the engine's socket", hidden=True)] = False
    user: Annotated[str, Flag("User name or UID (<name|uid>[:<group|gid>])", short="-u")] = ""
    userns: Annotated[str, Flag("User namespace to use")] = ""
    uts: Annotated[str, Flag("UTS namespace to use")] = ""
    volume: Annotated[Words, Flag("Mount a volume or a folder", short="-v")] = ()
    volume_driver: Annotated[str, Flag("Driver of volumes made by -v")] = ""
    volumes_from: Annotated[Words, Flag("Mount the volumes of another container")] = ()
    workdir: Annotated[str, Flag("Folder in the container to start in", short="-w")] = ""
