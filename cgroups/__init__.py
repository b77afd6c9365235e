"""Linux control groups, v1, hybrid and v2, behind one small interface. Imports the standard library only.

group.py      Cgroup: one path in every hierarchy; everything that can be done with it. Start here
population.py a group's path and processes, which kill.py and watch.py need
tree.py       Tree: the executor's layout of groups, by class, role and pod
qos.py        what the classes may use, from the tasks they hold (pure)
mounts.py     which hierarchies this machine has (pure)
membership.py where a process is, and back; internal.py: no process where v2 passes controllers on
names.py      names from frameworks as directory names (pure)
limits.py     Limits and Stat over the controllers' own: cpu.py, memory.py, pids.py, io.py, cpuset.py
controller.py what those share
disks.py      which disk a path is on
pressure.py   PSI as numbers; stall.py: a wake-up when it passes a threshold
kill.py, freezer.py, watch.py, processes.py, create.py, inotify.py   how Cgroup does what it does
held.py       one process, held by a pidfd, so that its pid cannot come to mean another one
process_status.py what the kernel says of a process without letting the reader wait for it
oomd.py       marks for systemd-oomd
devices.py    a device that no process of a group opens; bpf.py: the system call of that name
attributes.py notes on a group, in extended attributes
descent.py    walks a tree of groups with a bounded number of descriptors
openat2.py    the system call of that name
closing.py    context managers that close
files.py      the only module that opens cgroup files
errors.py     CgroupError and its kin
"""

from cgroups.errors import CgroupBusy, CgroupError, CgroupNotFound, InvalidName
from cgroups.group import Cgroup
from cgroups.kill import KillMethod, KillResult
from cgroups.limits import UNLIMITED, Limits, Stat
from cgroups.membership import Membership
from cgroups.mounts import Hierarchies, Mode
from cgroups.pressure import Pressure, Resource
from cgroups.stall import StallWatch
from cgroups.tree import Tree
from cgroups.watch import Watch

__all__ = [
    "UNLIMITED",
    "Cgroup",
    "CgroupBusy",
    "CgroupError",
    "CgroupNotFound",
    "Hierarchies",
    "InvalidName",
    "KillMethod",
    "KillResult",
    "Limits",
    "Membership",
    "Mode",
    "Pressure",
    "Resource",
    "StallWatch",
    "Stat",
    "Tree",
    "Watch",
]
