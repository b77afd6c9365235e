"""The configuration section [pods]. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.config.key import key


@dataclass(frozen=True)
class PodsSection:
    """Defaults and limits of pods."""

    default_image: str = key(
        "", "Image of a Mesos task that names none; empty: the node's own file system, in roles of level privileged."
    )
    termination_grace_s: float = key(30.0, "Grace of a pod that sets none, seconds.", least=0, most=86400)
    start_timeout_s: float = key(
        120.0, "Limit on one pod's launch, from the moment when its images are here, seconds.", least=1, most=86400
    )
    max_launching: int = key(8, "How many pods of one class are launched at the same time.", least=1, most=1000)
    seccomp_dir: str = key(
        "/etc/mesos-pod-executor/seccomp",
        "Profiles that pods name by seccompProfile Localhost: linux.seccomp of the OCI runtime-spec, as JSON.",
        absolute=True,
    )
    app_armor_profile: str = key(
        "",
        "Loaded AppArmor profile of containers that name none or RuntimeDefault; empty: none, and RuntimeDefault is"
        " refused where the kernel has AppArmor.",
    )
    runtime_classes: tuple[str, ...] = key(
        ("runc",), "Names of RuntimeClasses that pods may have: all mean [containerd] runtime. Any other is refused."
    )
    nofile: int = key(
        1024,
        "How many descriptors a process may open (soft limit); a program may raise it to 1048576 itself.",
        least=64,
        most=1048576,
    )
    pids_max: int = key(16384, "How many processes and threads a pod may have; 0: no limit.", least=0, most=4194304)
    single_process_oom_kill: bool = key(
        default=False,
        doc="With cgroup v2, end one process of a container that is out of memory, and not all of them (as kubelet's"
        " singleProcessOOMKill). cgroup v1 always ends one.",
    )
    log_max_bytes: int = key(
        67108864,
        "Size that no file of a container's log passes, bytes: it is rotated before; 0: no limit.",
        least=0,
    )
    log_format: str = key(
        "raw",
        "Form of a container's log: raw is what it wrote; cri is that of Kubernetes' runtimes, each line with time and"
        " stream.",
        choices=("raw", "cri"),
    )
    log_files: int = key(2, "How many older files of each log are kept.", least=0, most=100)
