import json

import pytest

from knarr.container import syscalls
from knarr.container.capabilities import CAPABILITIES, DEFAULT
from knarr.container.machine import Machine
from knarr.container.seccomp import default_filter, profile_filter, seccomp
from knarr.errors import InvalidArgument, KnarrError
from knarr.spec.oci.runtime import Seccomp, SeccompArgument, SeccompRule

MACHINE = Machine(architecture="x86_64", kernel=(6, 1))
ARM = Machine(architecture="aarch64", kernel=(6, 1))


def allowed(built: Seccomp) -> set[str]:
    """What may be called whatever its arguments."""
    return {
        name
        for rule in built.syscalls
        if rule.action == "SCMP_ACT_ALLOW" and not rule.args
        for name in rule.names
    }


def test_everything_else_answers_eperm() -> None:
    built = default_filter(DEFAULT, MACHINE)
    assert (built.default_action, built.default_errno_ret) == ("SCMP_ACT_ERRNO", 1)
    assert built.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")


def test_no_name_is_allowed_twice() -> None:
    assert len(syscalls.ALWAYS) == len(set(syscalls.ALWAYS))


@pytest.mark.parametrize(
    "name", ["mount", "unshare", "setns", "bpf", "add_key", "reboot", "init_module",
             "kexec_load", "userfaultfd", "io_uring_setup", "swapon", "pivot_root", "keyctl",
             "open_by_handle_at", "clock_settime", "iopl", "acct", "perf_event_open", "clone"],
)  # fmt: skip
def test_what_reaches_the_host_is_not_allowed_by_default(name: str) -> None:
    assert name not in allowed(default_filter(DEFAULT, MACHINE))


@pytest.mark.parametrize("name", ["openat2", "clone3", "futex_waitv", "ptrace", "chroot", "mknod"])
def test_what_programs_need_is_answered(name: str) -> None:
    named = {name for rule in default_filter(DEFAULT, MACHINE).syscalls for name in rule.names}
    assert name in named


def test_clone_makes_no_namespaces_and_clone3_does_not_exist() -> None:
    rules = default_filter(DEFAULT, MACHINE).syscalls
    flags = SeccompArgument(index=0, value=0x7E020000, value_two=0, op="SCMP_CMP_MASKED_EQ")
    assert SeccompRule(names=("clone",), action="SCMP_ACT_ALLOW", args=(flags,)) in rules
    assert SeccompRule(names=("clone3",), action="SCMP_ACT_ERRNO", errno_ret=38) in rules


def test_with_sys_admin_clone_is_free() -> None:
    built = default_filter(("CAP_SYS_ADMIN",), MACHINE)
    assert {"clone", "clone3", "mount", "unshare"} <= allowed(built)
    assert all(rule.action == "SCMP_ACT_ALLOW" for rule in built.syscalls)


def test_each_capability_opens_its_calls() -> None:
    for capability, names in syscalls.OF_CAPABILITY.items():
        assert capability in CAPABILITIES
        assert set(names) <= allowed(default_filter((capability,), MACHINE))


@pytest.mark.parametrize(
    ("family", "passes"), [(1, True), (2, True), (38, False), (39, True), (40, False), (41, True)]
)
def test_sockets_by_family(family: int, passes: bool) -> None:
    rules = [rule for rule in default_filter(DEFAULT, MACHINE).syscalls if "socket" in rule.names]
    compared = {
        "SCMP_CMP_LT": lambda value: family < value,
        "SCMP_CMP_EQ": lambda value: family == value,
        "SCMP_CMP_GT": lambda value: family > value,
    }
    assert any(compared[rule.args[0].op](rule.args[0].value) for rule in rules) is passes


def test_an_old_kernel_has_no_ptrace_in_containers() -> None:
    assert "ptrace" not in allowed(default_filter(DEFAULT, Machine(kernel=(4, 4))))


def test_arm_has_its_own_calls_and_architectures() -> None:
    built = default_filter(DEFAULT, ARM)
    assert built.architectures == ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")
    assert "cacheflush" in allowed(built)
    assert "modify_ldt" not in allowed(built)


PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": None},
    ],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": None, "comment": "always"},
        {"name": "old", "action": "SCMP_ACT_ALLOW"},
        {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["b"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["e"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
        {"names": ["f"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
    ],
}  # fmt: skip


def test_a_profile_is_resolved_for_the_container() -> None:
    built = profile_filter(json.dumps(PROFILE), DEFAULT, MACHINE)
    assert built is not None
    assert allowed(built) == {"read", "write", "old", "b", "d"}
    assert built.default_errno_ret == 38
    assert built.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")


def test_a_profile_is_resolved_for_another_machine() -> None:
    built = profile_filter(
        json.dumps(PROFILE), ("CAP_SYS_ADMIN",), Machine(architecture="aarch64", kernel=(4, 4))
    )
    assert built is not None
    assert allowed(built) == {"read", "write", "old", "a", "c", "e", "f"}
    assert built.architectures == ()


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("nonsense", "Decoding seccomp profile failed: "),
        ('{"defaultAction": "SCMP_ACT_SING"}', "Decoding seccomp profile failed: "),
        (
            (
                '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["a"],'
                ' "archMap": [{"architecture": "b"}]}'
            ),
            "both 'architectures' and 'archMap' are specified",
        ),
        (
            (
                '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":'
                ' [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]}'
            ),
            "both 'name' and 'names' are specified",
        ),
        (
            (
                '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":'
                ' [{"name": "a", "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4"}}]}'
            ),
            'invalid kernel version: "4"',
        ),
    ],
)
def test_wrong_profiles_are_refused(profile: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        profile_filter(profile, DEFAULT, MACHINE)


def test_an_empty_profile_is_no_filter() -> None:
    assert profile_filter("{}", DEFAULT, MACHINE) is None


def test_unconfined_and_privileged_have_no_filter() -> None:
    assert seccomp("unconfined", DEFAULT, MACHINE, privileged=False) is None
    assert seccomp("", CAPABILITIES, MACHINE, privileged=True) is None
    assert seccomp("builtin", CAPABILITIES, MACHINE, privileged=True) is not None


def test_a_kernel_without_seccomp_refuses_profiles_alone() -> None:
    without = Machine(seccomp=False)
    assert seccomp("", DEFAULT, without, privileged=False) is None
    with pytest.raises(KnarrError, match="seccomp is not enabled in your kernel"):
        seccomp(json.dumps(PROFILE), DEFAULT, without, privileged=False)
