"""The flags of ``build``. Source: docker-cli reference, "image build" and "buildx build"."""

from knarr.cli.command import Annotated, Flag, FlagGroup
from knarr.cli.create.options import HOST, LABEL, ULIMIT
from knarr.cli.flags import BYTES, DURATION, SWAP

Words = tuple[str, ...]


class BuildOptions(FlagGroup):
    """What is built, how, and what becomes of it."""

    add_host: Annotated[Words, Flag("Add an entry to /etc/hosts of the steps", kind=HOST)] = ()
    allow: Annotated[
        Words, Flag("Grant a right to steps that ask for it (network.host, security.insecure)")
    ] = ()
    annotation: Annotated[
        Words,
        Flag("Annotate what is pushed or saved: [manifest|index|manifest-descriptor:]KEY=VALUE"),
    ] = ()
    attest: Annotated[Words, Flag("Refused: not there yet", hidden=True)] = ()
    build_arg: Annotated[Words, Flag("Give a value to an ARG: NAME[=VALUE]")] = ()
    build_context: Annotated[
        Words, Flag("Further context: NAME=PATH, NAME=docker-image://IMAGE, NAME=URL")
    ] = ()
    builder: Annotated[str, Flag("No effect", hidden=True)] = ""
    cache_from: Annotated[
        Words, Flag("Use the cache of an image: NAME, type=registry,ref=NAME or type=local,src=DIR")
    ] = ()
    cache_to: Annotated[
        Words,
        Flag(
            "Keep the cache: type=inline, type=registry,ref=NAME or type=local,dest=DIR[,mode=max]"
        ),
    ] = ()
    call: Annotated[
        str,
        Flag("'build'; 'check' for likely mistakes, 'outline' for what a target takes, 'targets'"),
    ] = "build"
    cgroup_parent: Annotated[str, Flag("Parent cgroup of the steps")] = ""
    check: Annotated[bool, Flag("Look for likely mistakes, and build nothing")] = False
    compress: Annotated[bool, Flag("No effect", hidden=True)] = False
    cpu_period: Annotated[int, Flag("Period of the CPU quota, in microseconds")] = 0
    cpu_quota: Annotated[int, Flag("CPU time in each period, in microseconds")] = 0
    cpu_shares: Annotated[int, Flag("Relative weight of CPU", short="-c")] = 0
    cpuset_cpus: Annotated[str, Flag("CPUs to run on (0-3, 0,1)")] = ""
    cpuset_mems: Annotated[str, Flag("Memory nodes to use (0-3, 0,1)")] = ""
    debug: Annotated[bool, Flag("No effect", hidden=True)] = False
    debug_step: Annotated[int, Flag("Stop before the step of this number, with a shell")] = 0
    disable_content_trust: Annotated[bool, Flag("No effect", hidden=True)] = True
    explain: Annotated[
        bool, Flag("Say for each step whether it was there already, or what changed")
    ] = False
    file: Annotated[str, Flag("The Dockerfile; '-' reads standard input", short="-f")] = ""
    force_rm: Annotated[bool, Flag("No effect", hidden=True)] = False
    iidfile: Annotated[str, Flag("Write the image ID to this file")] = ""
    isolation: Annotated[str, Flag("Isolation technology (Windows)", hidden=True)] = ""
    label: Annotated[Words, Flag("Label the image", kind=LABEL)] = ()
    load: Annotated[bool, Flag("No effect: the image is always in the engine's store")] = False
    memory: Annotated[int, Flag("Memory limit of the steps", short="-m", kind=BYTES)] = 0
    memory_swap: Annotated[int, Flag("Limit of memory and swap together", kind=SWAP)] = 0
    metadata_file: Annotated[str, Flag("Write what came out to this file, as JSON")] = ""
    network: Annotated[str, Flag("Network of the steps: default, none, host or a name")] = "default"
    no_cache: Annotated[bool, Flag("Do every step anew")] = False
    no_cache_filter: Annotated[Words, Flag("Do the steps of these stages anew")] = ()
    on_error: Annotated[str, Flag("'shell' opens one in the state before the step that failed")] = (
        ""
    )
    output: Annotated[
        Words,
        Flag(
            "Further result: type=local|tar|oci|docker,dest=PATH, or a folder; of the image"
            " type=image,name=NAME,push=true,annotation.KEY=VALUE",
            short="-o",
        ),
    ] = ()
    platform: Annotated[str, Flag("Platform of the image, or several with commas")] = ""
    policy: Annotated[Words, Flag("No effect", hidden=True)] = ()
    progress: Annotated[str, Flag("How to show it: auto, tty, plain, quiet or rawjson")] = "auto"
    provenance: Annotated[str, Flag("Refused unless 'false'", hidden=True)] = ""
    pull: Annotated[bool, Flag("Fetch the base images anew")] = False
    push: Annotated[bool, Flag("Push the image by all its names")] = False
    quiet: Annotated[bool, Flag("Print the image ID, and nothing before", short="-q")] = False
    rm: Annotated[bool, Flag("No effect", hidden=True)] = True
    sbom: Annotated[str, Flag("Refused unless 'false'", hidden=True)] = ""
    secret: Annotated[Words, Flag("What steps may know: id=NAME[,src=FILE][,env=VARIABLE]")] = ()
    security_opt: Annotated[Words, Flag("Refused: see --allow", hidden=True)] = ()
    shm_size: Annotated[int, Flag("Size of /dev/shm of the steps", kind=BYTES)] = 0
    squash: Annotated[bool, Flag("Make one layer of all new ones")] = False
    ssh: Annotated[Words, Flag("SSH agent for steps: default, or ID=SOCKET")] = ()
    tag: Annotated[Words, Flag("Name of the image: NAME[:TAG]", short="-t")] = ()
    target: Annotated[str, Flag("Stage to build")] = ""
    timeout: Annotated[int, Flag("Longest time that one step may take", kind=DURATION)] = 0
    ulimit: Annotated[
        tuple[dict[str, object], ...], Flag("Limit of the steps' resources", kind=ULIMIT)
    ] = ()
