"""The executor's own seccomp profile, which is Kubernetes' RuntimeDefault here. Pure.

It lists what programs in containers need. Every other system call gives EPERM, but ENOSYS where it is newer than
runc's libseccomp, so that programs fall back. A group that needs a capability is allowed with it (capabilities(7)):
without it the code before the kernel's own check stays out of reach. Never allowed: kernel keyrings and io_uring, which
know no namespaces, userfaultfd, kexec, attributes of security modules (lsm_*), the kernel's own uretprobe, and calls
that no program uses any more.
Sources: syscalls(2) and the page of each group; clone(2), personality(2), vsock(7).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

ENOSYS: Final = 38
CLONE_NEW: Final = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (linux/sched.h)."""
AF_ALG: Final = 38
"""Sockets to the kernel's cryptography: CVE-2026-31431 lets them write into files of images that pods share."""
AF_VSOCK: Final = 40
"""Sockets to the hypervisor, which know no network namespaces."""
PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, 32 bits, UNAME26, both, and the question which one it is. Others turn off address randomisation."""

GROUPS: Final[Mapping[str, str]] = {
    "open files and read and write them": """
        _llseek close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64
        fdatasync flock fsync ftruncate ftruncate64 ioctl lseek open openat openat2 pread64 preadv preadv2 pwrite64
        pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee truncate
        truncate64 vmsplice write writev
    """,
    "names, attributes and directories": """
        access cachestat chdir chmod chown chown32 faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchown32
        fchownat fgetxattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd
        getdents getdents64 getxattr getxattrat lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr
        lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat oldfstat oldlstat
        oldstat readdir readlink readlinkat removexattr removexattrat rename renameat renameat2 rmdir setxattr
        setxattrat stat stat64 statfs statfs64 statx symlink symlinkat umask unlink unlinkat utime utimensat
        utimensat_time64 utimes
    """,
    "wait for events": """
        _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch pause poll ppoll
        ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4
    """,
    "asynchronous I/O (io_setup(2))": """
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
    """,
    "memory": """
        brk get_mempolicy madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall
        mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
        process_madvise process_mrelease remap_file_pages
    """,
    "processes and threads": """
        arch_prctl execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getpgid getpgrp getpid
        getppid getsid gettid idle kill modify_ldt pidfd_open pidfd_send_signal prctl ptrace process_vm_readv
        process_vm_writev restart_syscall rseq set_robust_list set_thread_area set_tid_address setpgid setsid tgkill
        tkill vfork wait4 waitid waitpid
    """,
    "futexes": "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake",
    "signals": """
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
        rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal sigpending sigprocmask sigreturn
        sigsuspend ssetmask
    """,
    "users, groups, capabilities and confinement": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
        getresuid getresuid32 getuid getuid32 landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
        setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid
        setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
    """,
    "limits, priorities and scheduling": """
        getpriority getrlimit getrusage ioprio_get ioprio_set nice prlimit64 sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
        sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
        setpriority setrlimit ugetrlimit
    """,
    "time; setting the clock is refused by the kernel": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
        clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
        timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
        timerfd_gettime64 timerfd_settime timerfd_settime64 times
    """,
    "sockets and pipes": """
        accept accept4 bind connect getpeername getsockname getsockopt listen pipe pipe2 recv recvfrom recvmmsg
        recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
    """,
    "System V and POSIX IPC": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
        mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
    """,
    "the system": "getrandom olduname oldolduname sysinfo uname",
    "of ARM alone": """
        arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush get_tls set_tls sync_file_range2
    """,
}

_WITH: Final[Mapping[str, str]] = {
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr
        move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns statmount
        swapoff swapon umount umount2 unshare
    """,
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_NICE": "mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYSLOG": "syslog",
}

# A program of an ABI that is not listed is killed. x32 has no programs, and each ABI costs some ms at every start.
_ARCHITECTURES: Final = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}
_ALLOW: Final = "SCMP_ACT_ALLOW"


def _one(name: str, value: int, op: str) -> dict[str, Any]:
    """One call, allowed if its first argument compares so; with a mask, if no bit of the mask is set."""
    return {"names": [name], "action": _ALLOW, "args": [{"index": 0, "value": value, "valueTwo": 0, "op": op}]}


# Rules of one call are alternatives: two "not equal" would allow every family.
_SOCKETS: Final = (
    _one("socket", AF_ALG, "SCMP_CMP_LT"),
    *(_one("socket", family, "SCMP_CMP_EQ") for family in range(AF_ALG + 1, AF_VSOCK)),
    _one("socket", AF_VSOCK, "SCMP_CMP_GT"),
)


def profile(capabilities: Collection[str], machine: str) -> dict[str, Any]:
    """`linux.seccomp` of the OCI runtime-spec, for a container that holds `capabilities`. `machine` is uname(1)'s; an
    unknown one gets its own ABI only.
    """
    allowed = {name for names in GROUPS.values() for name in names.split()}
    allowed |= {name for held in capabilities for name in _WITH.get(held, "").split()}
    calls = [{"names": sorted(allowed), "action": _ALLOW}, *_SOCKETS]
    calls += [_one("personality", value, "SCMP_CMP_EQ") for value in PERSONALITIES]
    if "clone" not in allowed:
        calls.append(_one("clone", CLONE_NEW, "SCMP_CMP_MASKED_EQ"))
        # clone3 keeps its flags in memory, where no filter sees them; libc falls back to clone when it is not there
        calls.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    found: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": calls}
    if machine in _ARCHITECTURES:
        found["architectures"] = _ARCHITECTURES[machine]
    return found
