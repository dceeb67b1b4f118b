"""The AppArmor profile of containers that name none, and how the kernel gets to know it.

It bars what a container that runs as root could reach through /proc and /sys even where a mask was
taken away, and mounting. Source: apparmor.d(5); the rules are those of Docker's default profile.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from knarr.errors import InvalidArgument, Unavailable
from knarr.spec.oci.runtime import Process

PROFILE: Final = "knarr-default"
UNCONFINED: Final = "unconfined"
_DOCKERS: Final = "docker-default"  # the same rules; there where Docker has run since the boot
_ENABLED: Final = Path("/sys/module/apparmor/parameters/enabled")
_LOADED: Final = Path("/sys/kernel/security/apparmor/profiles")
_SECONDS: Final = 30

# Only below /proc/<pid>, and of /proc/sys only what the kernel keeps per IPC namespace, may be
# written. AppArmor's patterns know no "except", so each "not NAME" is spelled letter by letter.
_PROC: Final = (
    "deny @{PROC}/* w,",
    "deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,",
    "deny @{PROC}/sys/[^k]** w,",
    "deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "deny @{PROC}/sysrq-trigger rwklx,",
    "deny @{PROC}/kcore rwklx,",
)
# Of /sys only /sys/fs/cgroup.
_SYS: Final = (
    "deny /sys/[^f]*/** wklx,",
    "deny /sys/f[^s]*/** wklx,",
    "deny /sys/fs/[^c]*/** wklx,",
    "deny /sys/fs/c[^g]*/** wklx,",
    "deny /sys/fs/cg[^r]*/** wklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/devices/virtual/powercap/** rwklx,",
    "deny /sys/kernel/security/** rwklx,",
)


def profile_text(name: str = PROFILE, *, has_abstractions: bool = True) -> str:
    """The profile in AppArmor's language.

    has_abstractions: whether the machine has the distribution's own abstractions and tunables.
    """
    header = ["#include <tunables/global>"] if has_abstractions else ["@{PROC}=/proc/"]
    base = ["#include <abstractions/base>"] if has_abstractions else []
    rules = (
        *base,
        "network,",
        "capability,",
        "file,",
        "umount,",
        "deny mount,",
        "signal (receive) peer=unconfined,",
        "signal (receive) peer=runc,",
        "signal (receive) peer=crun,",
        f"signal (send,receive) peer={name},",
        f"ptrace (trace,read,tracedby,readby) peer={name},",
        *_PROC,
        *_SYS,
    )
    body = "\n".join(f"  {rule}" for rule in rules)
    opening = f"profile {name} flags=(attach_disconnected,mediate_deleted) {{"
    return "\n".join((*header, "", opening, body, "}", ""))


def is_enabled() -> bool:
    """Whether the kernel enforces AppArmor, and lets this process see to it.

    In a container of somebody else's the first may hold, and the second not. Without a parser
    nobody on this machine can load a profile: containers then run without, as in Docker.
    """
    try:
        enforced = _LOADED.parent.is_dir() and _ENABLED.read_text().strip() == "Y"
    except OSError:
        return False
    return enforced and (_parser() is not None or PROFILE in loaded_profiles())


def _parser() -> str | None:
    return shutil.which("apparmor_parser") or shutil.which("apparmor_parser", path="/sbin")


def usable(profile: str) -> str:
    """The profile that a process named ``profile`` for is started under, once the kernel has it.

    The default one is loaded again if somebody took it away. Where Docker has not brought its own,
    ``docker-default`` is ours. Raises InvalidArgument for one that the kernel does not know.
    """
    if profile in ("", UNCONFINED):
        return profile
    known = loaded_profiles()
    if profile in known:
        return profile
    if profile in (PROFILE, _DOCKERS):
        return load_default_profile()
    raise InvalidArgument(
        f'AppArmor profile "{profile}" is not loaded: load it with apparmor_parser, or take '
        "another one with --security-opt apparmor=NAME"
    )


def confined(process: Process) -> Process:
    """The process under a profile that is there. Raises as ``usable``."""
    profile = usable(process.apparmor_profile)
    if profile == process.apparmor_profile:
        return process
    return replace(process, apparmor_profile=profile)


def loaded_profiles() -> frozenset[str]:
    """The names of all profiles that the kernel knows; it tells root alone."""
    try:
        text = _LOADED.read_text()
    except OSError:
        return frozenset()
    return frozenset(line.rpartition(" (")[0] or line for line in text.splitlines())


def load_default_profile() -> str:
    """Make the kernel know the default profile; its name, or empty where AppArmor is off.

    Loading takes a moment, so a profile that is there already stays.
    Raises Unavailable where AppArmor is on and the profile cannot be loaded: containers would have
    less around them than anybody expects.
    """
    if not is_enabled():
        return ""
    if PROFILE in loaded_profiles():
        return PROFILE
    if (parser := _parser()) is None:
        raise Unavailable("AppArmor is on, and apparmor_parser is missing: install apparmor")
    text = profile_text(has_abstractions=Path("/etc/apparmor.d/abstractions/base").exists())
    done = subprocess.run(
        [parser, "--replace", "--skip-cache"],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise Unavailable(f"loading the AppArmor profile {PROFILE}: {said}")
    return PROFILE
