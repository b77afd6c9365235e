"""The private node: `python3 -m tests.support.node -- COMMAND ARGS` runs COMMAND where it cannot hurt its host.

Inside: fresh network, mount, process, host name and IPC namespaces; loopback up; an empty /run and /dev/shm; what is
written to /var/lib vanishes; TMPDIR is the node's own. The host's cgroup mounts are seen as they are, and one top-level
cgroup name is the node's. Environment: MPE_TEST_NAMESPACE=1, MPE_TEST_CGROUP (that name), MPE_TEST_TMP (as TMPDIR).

MPE_TEST_CNI names a directory of CNI plugins that are seen in the place of the installed ones. With MPE_TEST_V1 the
cgroup2 of a hybrid machine is not seen.
With --listen PORT the descriptor of a socket that listens on the machine's own 127.0.0.1 is in MPE_NODE_LISTENER.

When COMMAND ends or its parent is killed, everything inside dies with the process namespace and the outer side removes
the cgroups and the directory. If the outer side itself is killed, the inner one dies, and the next start removes what
was left. Exit status and signals pass through: killed by a signal inside is killed by that signal outside.

    __main__.py   the command line
    outer.py      starts the inner side, passes signals on, cleans up
    inner.py      process 1 of the node: mounts, loopback, reaping
    record.py     which node owns which names, so that nothing of a living or foreign one is ever removed
    syscalls.py   the system calls that Python 3.11 lacks
Standard library only.
"""

from pathlib import Path

LISTENER = "MPE_NODE_LISTENER"
"""The descriptor of a socket that listens on the machine's 127.0.0.1, for --listen."""
PLUGINS = "MPE_TEST_CNI"
"""A variable that names a directory of CNI plugins, to be seen at INSTALLED_PLUGINS."""
INSTALLED_PLUGINS = "/usr/lib/cni"
V1 = "MPE_TEST_V1"
"""A variable; if it is set, the node has no cgroup2, as a machine with cgroup v1 alone."""
CGROUPS, UNIFIED = Path("/sys/fs/cgroup"), "unified"
"""Where hierarchies are mounted, and the directory of cgroup2 there on a hybrid machine."""
