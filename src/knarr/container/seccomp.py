"""The filter of system calls: the default one, and those that clients bring.

Source: OCI runtime-spec, config-linux.md, "Seccomp"; Docker's profile format, which adds conditions
(``includes``, ``excludes``) on capabilities, machine and kernel to the rules.
"""

import errno
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from knarr.container import syscalls
from knarr.container.machine import Machine
from knarr.errors import InvalidArgument, KnarrError
from knarr.spec.document import CamelDocument, decode
from knarr.spec.oci.runtime import Seccomp, SeccompAction, SeccompArgument, SeccompRule

BUILTIN: Final = "builtin"

# uname's machine: how profiles call it, and the filter's architectures.
_MACHINES: Final = {
    "x86_64": ("amd64", ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")),
    "i686": ("x86", ("SCMP_ARCH_X86",)),
    "aarch64": ("arm64", ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")),
    "armv7l": ("arm", ("SCMP_ARCH_ARM",)),
    "ppc64le": ("ppc64le", ("SCMP_ARCH_PPC64LE",)),
    "riscv64": ("riscv64", ("SCMP_ARCH_RISCV64",)),
    "s390x": ("s390x", ("SCMP_ARCH_S390X", "SCMP_ARCH_S390")),
}
_AF_ALG: Final = 38  # the kernel's crypto, a source of holes that containers have no use for
_AF_VSOCK: Final = 40  # reaches the hypervisor, which no network namespace hides
# PER_LINUX and PER_LINUX32, each alone and with UNAME26; and the question which it is.
_PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
_CLONE_NAMESPACES: Final = 0x7E020000


def default_filter(capabilities: Collection[str], machine: Machine) -> Seccomp:
    """What a container with these capabilities may call; the rest answers EPERM."""
    return _filter(frozenset(capabilities), machine.architecture, machine.kernel)


@lru_cache(64)  # nearly all containers have the same
def _filter(capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]) -> Seccomp:
    name, architectures = _architecture(architecture)
    rules = [_allow(*syscalls.ALWAYS)]
    if kernel >= syscalls.TRACING_KERNEL:
        rules.append(_allow(*syscalls.TRACING))
    rules += (
        _allow("socket", SeccompArgument(index=0, value=_AF_ALG, op="SCMP_CMP_LT")),
        _allow("socket", SeccompArgument(index=0, value=_AF_ALG + 1, op="SCMP_CMP_EQ")),
        _allow("socket", SeccompArgument(index=0, value=_AF_VSOCK, op="SCMP_CMP_GT")),
    )
    rules += (
        _allow("personality", SeccompArgument(index=0, value=each, op="SCMP_CMP_EQ"))
        for each in _PERSONALITIES
    )
    if special := syscalls.OF_ARCHITECTURE.get(name):
        rules.append(_allow(*special))
    rules += (
        _allow(*names)
        for capability, names in syscalls.OF_CAPABILITY.items()
        if capability in capabilities
    )
    if "CAP_SYS_ADMIN" not in capabilities:
        rules += _cloning(name)
    return Seccomp(
        default_action="SCMP_ACT_ERRNO",
        default_errno_ret=errno.EPERM,
        architectures=architectures,
        syscalls=tuple(rules),
    )


def _allow(*what: str | SeccompArgument) -> SeccompRule:
    return SeccompRule(
        names=tuple(each for each in what if isinstance(each, str)),
        action="SCMP_ACT_ALLOW",
        args=tuple(each for each in what if isinstance(each, SeccompArgument)),
    )


def _cloning(machine: str) -> tuple[SeccompRule, ...]:
    """clone without new namespaces; clone3 hides its flags in memory, so it does not exist."""
    flags = 1 if machine == "s390x" else 0  # which argument holds them
    no_namespaces = SeccompArgument(
        index=flags, value=_CLONE_NAMESPACES, value_two=0, op="SCMP_CMP_MASKED_EQ"
    )
    return (
        _allow("clone", no_namespaces),
        SeccompRule(names=("clone3",), action="SCMP_ACT_ERRNO", errno_ret=errno.ENOSYS),
    )


def _architecture(machine: str) -> tuple[str, tuple[str, ...]]:
    return _MACHINES.get(machine, (machine, ()))


class Condition(CamelDocument):
    """When a rule counts: every part that is given has to hold."""

    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    min_kernel: str = ""


class ProfileRule(CamelDocument):
    """A rule of a profile; ``name`` is how profiles before 17.05 wrote ``names``."""

    action: SeccompAction
    name: str = ""
    names: tuple[str, ...] = ()
    errno_ret: int | None = None
    args: tuple[SeccompArgument, ...] = ()
    comment: str = ""
    includes: Condition = Condition()
    excludes: Condition = Condition()


class ProfileArchitecture(CamelDocument):
    architecture: str
    sub_architectures: tuple[str, ...] = ()


class Profile(CamelDocument):
    """Docker's profile format: a filter whose rules have conditions."""

    default_action: SeccompAction | None = None
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    arch_map: tuple[ProfileArchitecture, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[ProfileRule, ...] = ()


def profile_filter(profile: str, capabilities: Collection[str], machine: Machine) -> Seccomp | None:
    """The filter that a profile's JSON makes for this container; None where it is empty.

    Raises InvalidArgument in Docker's words.
    """
    try:
        parsed = decode(profile, Profile)
    except InvalidArgument as error:
        raise InvalidArgument(f"Decoding seccomp profile failed: {error}") from error
    if parsed.default_action is None and not parsed.syscalls:
        return None
    if parsed.architectures and parsed.arch_map:
        raise InvalidArgument(
            "both 'architectures' and 'archMap' are specified in the seccomp profile,"
            " use either 'architectures' or 'archMap'"
        )
    if parsed.default_action is None:
        raise InvalidArgument("the seccomp profile has no defaultAction")
    name, architectures = _architecture(machine.architecture)
    mapped = (
        (entry.architecture, *entry.sub_architectures)
        for entry in parsed.arch_map
        if architectures and entry.architecture == architectures[0]
    )
    return Seccomp(
        default_action=parsed.default_action,
        default_errno_ret=parsed.default_errno_ret,
        architectures=parsed.architectures or next(mapped, ()),
        flags=parsed.flags,
        listener_path=parsed.listener_path,
        listener_metadata=parsed.listener_metadata,
        syscalls=tuple(
            _resolved(rule)
            for rule in parsed.syscalls
            if _counts(rule, capabilities, name, machine.kernel)
        ),
    )


def _resolved(rule: ProfileRule) -> SeccompRule:
    if rule.name and rule.names:
        raise InvalidArgument(
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or"
            " 'names'"
        )
    return SeccompRule(
        names=rule.names or (rule.name,),
        action=rule.action,
        errno_ret=rule.errno_ret,
        args=rule.args,
    )


def _counts(
    rule: ProfileRule, capabilities: Collection[str], name: str, kernel: tuple[int, int]
) -> bool:
    without, only = rule.excludes, rule.includes
    if name in without.arches or any(each in capabilities for each in without.caps):
        return False
    if without.min_kernel and kernel >= _kernel(without.min_kernel):
        return False
    if only.arches and name not in only.arches:
        return False
    if not all(each in capabilities for each in only.caps):
        return False
    return not only.min_kernel or kernel >= _kernel(only.min_kernel)


def _kernel(text: str) -> tuple[int, int]:
    match text.split("."):
        case [major, minor] if major.isdecimal() and minor.isdecimal():
            return int(major), int(minor)
    raise InvalidArgument(f'invalid kernel version: "{text}", expected "<kernel>.<major>"')


def seccomp(
    option: str, capabilities: Collection[str], machine: Machine, *, privileged: bool
) -> Seccomp | None:
    """The filter for what ``--security-opt seccomp=`` said, None for none.

    option: empty, ``unconfined``, ``builtin``, or a profile's JSON. A privileged container has
    none unless a profile is given.
    """
    if option == "unconfined" or (privileged and not option):
        return None
    default = option in ("", BUILTIN)
    if not machine.seccomp:
        if default:
            return None
        raise KnarrError(
            "seccomp is not enabled in your kernel, cannot run a custom seccomp profile"
        )
    if default:
        return default_filter(capabilities, machine)
    return profile_filter(option, capabilities, machine)
