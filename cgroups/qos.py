"""What a pod and a class of pods may use, from what Mesos gave them. Pure arithmetic.

Memory: a pod may use what its tasks hold; the revocable class what its pods hold together, so that an OOM of the class
stays in it; the regular class has no limit of its own, and on v2 its memory is protected (`memory.min`). CPU: by
weight; 100 a core as systemd's and cgroup2's default for one group; the revocable class has the least weight that there
is, with any number of pods, and in it a pod has the most while it starts. So it is with disks. CPUs of its own, and a
limit on what is read and written, has a class if the node's configuration gives it one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from cgroups.cpu import WEIGHT_MAX, WEIGHT_MIN
from cgroups.io import WEIGHT_DEFAULT as IO_WEIGHT_DEFAULT
from cgroups.io import WEIGHT_MIN as IO_WEIGHT_MIN
from cgroups.io import IoMax
from cgroups.limits import UNLIMITED, Limits

WEIGHT_PER_CPU = 100
IDLE_CPU = Limits(cpu_weight=WEIGHT_MIN, cpu_idle=True)
"""CPU time that is idle: for the revocable class, and for work that is done for it."""
STARTING_WEIGHT = WEIGHT_MAX
"""The weight of a revocable pod in its class while it starts: runc sets a container up in the pod's own group. With its
usual weight a start took 20 times as long beside 20 pods that work.
"""
EXECUTOR_CPU = Limits(cpu_weight=20)
"""The executor's own work, CNI plugins included: a pod that wants the CPU gets it first, and the executor a sixth of it
on a node where all pods together want all, also during launches: with the weight of all pods together, the 99th
percentile of a regular pod's requests rose to three times that of launches on an idle node. With equal weights a
process that a pod had just forked waited up to 13 ms while the executor took note of 50 ends.
"""
SHIMS_CPU = Limits(cpu_weight=50, cpu_idle=False)
"""The shims of revocable pods, and runc for them, while something is launched or ends late: half of a group's usual
weight. Beside 50 revocable pods that work, launches then take two to three times as long as without these, and regular
pods notice as little as of launches without them. With a usual weight the regular pods waited, with a quarter of it the
launches.
"""
OOM_SCORE_ADJ = {"regular": -500, "revocable": 1000}
"""The order of the kernel's victims when the node itself runs out of memory (proc_pid_oom_score_adj(5))."""


def weight(cpus: float) -> int:
    """On cgroup2's scale."""
    return min(WEIGHT_MAX, max(WEIGHT_MIN, round(cpus * WEIGHT_PER_CPU)))


def pod_limits(cpus: float, mem_bytes: int, *, starting: bool = False) -> Limits:
    """`mem_bytes` 0: the pod was given none, so its class alone limits it. `starting`: a revocable pod
    that starts.
    """
    return Limits(
        cpu_weight=STARTING_WEIGHT if starting else weight(cpus),
        memory_max_bytes=mem_bytes or UNLIMITED,
    )


def protections(root: str, pods: Mapping[str, int]) -> dict[str, int]:
    """`memory.min` in bytes of every group from `root` down to the pods, which are paths below it with what each holds.

    A group's protection counts only as far as all groups above it have one, too (cgroup-v2.rst, memory.min): each gets
    the sum of those below. `root` is there also without pods, with 0.
    """
    found = {root: 0}
    for path, mem_bytes in pods.items():
        names = path.removeprefix(root).split("/")
        for length in range(1, len(names) + 1):
            group = root + "/".join(names[:length])
            found[group] = found.get(group, 0) + mem_bytes
    return found


def class_limits(pod_class: str, cpus: float, mem_bytes: int) -> Limits:
    """From the sums over the pods of the class."""
    if pod_class == "regular":
        return Limits(cpu_weight=weight(cpus))
    return replace(IDLE_CPU, memory_max_bytes=mem_bytes or UNLIMITED)


def class_policy(
    pod_class: str, cpus: Collection[int] | None = None, io_max: Mapping[str, IoMax] | None = None
) -> Limits:
    """What holds for a class with any pods in it. `cpus` None: all. `io_max`: by disk."""
    weight_of_disks = IO_WEIGHT_DEFAULT if pod_class == "regular" else IO_WEIGHT_MIN
    return Limits(io_weight=weight_of_disks, io_max=io_max or None, cpus=cpus or None)


def guarded_weight(found: int | None, regular_cpus: float) -> int | None:
    """The weight to give back to a group whose regular cpus alone are due more than it has; None if they have enough.

    `found` may be one less than is due, for v1's shares are rounded to weights.
    """
    due = weight(regular_cpus)
    return due if found is not None and found + 1 < due else None


def oom_score_adj(pod_class: str, *, may_lower: bool) -> int:
    """Without CAP_SYS_RESOURCE a value below the own one is refused: 0 is then as near as it gets."""
    wanted = OOM_SCORE_ADJ[pod_class]
    return wanted if may_lower else max(0, wanted)


def total(amounts: Iterable[float]) -> float:
    """A sum without the noise of binary fractions: Mesos counts to three digits."""
    return round(sum(amounts), 3)
