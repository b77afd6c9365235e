"""The seccomp profile: which system calls it allows, and with which capability."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from executor.oci.seccomp import GROUPS, profile
from executor.spec import capabilities

HEADERS = sorted(Path("/usr/include").glob("x86_64-linux-gnu/asm/unistd_[36][24].h"))
"""Of the architecture of the profile: Debian 13 has those of all architectures here."""
DEFAULT = tuple(capabilities.DEFAULT)
NEVER = {
    "_sysctl", "add_key", "afs_syscall", "bdflush", "break", "create_module", "ftime", "get_kernel_syms", "getpmsg",
    "gtty", "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_file_load", "kexec_load", "keyctl",
    "lock", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mpx", "nfsservctl", "prof", "profil",
    "putpmsg", "query_module", "request_key", "security", "stty",
    "sysfs", "tuxcall", "ulimit", "uretprobe", "uselib", "userfaultfd", "ustat", "vm86", "vm86old", "vserver",
}  # fmt: skip


def allowed(*held: str) -> set[str]:
    """Names that are allowed whatever their arguments are."""
    calls = profile(held, "x86_64")["syscalls"]
    return {
        name for call in calls if call["action"] == "SCMP_ACT_ALLOW" and "args" not in call for name in call["names"]
    }


def conditions(name: str, *held: str) -> list[dict[str, Any]]:
    calls = profile(held, "x86_64")["syscalls"]
    return [argument for call in calls if name in call["names"] for argument in call.get("args", ())]


@pytest.mark.skipif(not HEADERS, reason="there are no headers of the kernel here")
def test_each_system_call_is_decided() -> None:
    """What the kernel's headers name and this profile does not is never allowed, on purpose."""
    known = {name for file in HEADERS for name in re.findall(r"__NR_(\w+)", file.read_text())}
    decided = allowed(*capabilities.EVERY) | {"socket", "personality", "clone", "clone3"}
    assert known - decided - NEVER == set()
    assert not NEVER & decided


def test_no_call_is_in_two_groups() -> None:
    names = [name for group in GROUPS.values() for name in group.split()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        (
            "CAP_SYS_ADMIN",
            {"mount", "unshare", "setns", "bpf", "perf_event_open", "clone", "clone3", "fsopen", "sethostname"},
        ),
        ("CAP_SYS_MODULE", {"init_module", "finit_module", "delete_module"}),
        ("CAP_SYS_BOOT", {"reboot"}),
        ("CAP_SYS_CHROOT", {"chroot"}),
        ("CAP_SYS_TIME", {"clock_settime", "settimeofday"}),
        ("CAP_SYS_RAWIO", {"iopl", "ioperm"}),
        ("CAP_SYS_NICE", {"mbind", "move_pages"}),
        ("CAP_SYS_PTRACE", {"kcmp", "pidfd_getfd"}),
        ("CAP_DAC_READ_SEARCH", {"open_by_handle_at"}),
        ("CAP_SYSLOG", {"syslog"}),
        ("CAP_BPF", {"bpf"}),
        ("CAP_PERFMON", {"perf_event_open"}),
    ],
)
def test_a_capability_gives_the_calls_that_need_it(capability: str, names: set[str]) -> None:
    assert not names & allowed()
    assert names <= allowed(capability)


def test_the_default_capabilities_give_what_images_need() -> None:
    assert allowed(*DEFAULT) >= {
        "read",
        "execve",
        "chroot",
        "ptrace",
        "mknod",
        "socketpair",
        "setuid",
        "futex",
        "statx",
    }
    assert not allowed(*DEFAULT) & {"mount", "keyctl", "io_uring_setup", "userfaultfd", "kexec_load", "unshare"}


def test_arguments_are_looked_at() -> None:
    sockets = [(each["op"], each["value"]) for each in conditions("socket")]
    assert sockets == [("SCMP_CMP_LT", 38), ("SCMP_CMP_EQ", 39), ("SCMP_CMP_GT", 40)]
    assert [each["value"] for each in conditions("personality")] == [0, 8, 0x20000, 0x20008, 0xFFFFFFFF]
    (clone,) = conditions("clone")
    assert (clone["value"], clone["valueTwo"], clone["op"]) == (0x7E020000, 0, "SCMP_CMP_MASKED_EQ")
    assert conditions("clone", "CAP_SYS_ADMIN") == []


def test_clone3_is_not_there_for_libc() -> None:
    (refused,) = [call for call in profile((), "x86_64")["syscalls"] if call["names"] == ["clone3"]]
    assert (refused["action"], refused["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_architectures() -> None:
    assert profile((), "x86_64")["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert "architectures" not in profile((), "")
