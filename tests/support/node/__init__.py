"""The private node: `python3 -m tests.support.node -- COMMAND ARGS` runs COMMAND where it cannot hurt its host.

Inside: fresh network, mount, process, host name and IPC namespaces; loopback up; an empty /run and /dev/shm; what is
written to /var/lib vanishes; TMPDIR is the node's own. The host's cgroup mounts are seen as they are, and one top-level
cgroup name is the node's. Environment: MPE_TEST_NAMESPACE=1, MPE_TEST_CGROUP (that name), MPE_TEST_TMP (as TMPDIR).

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

LISTENER = "MPE_NODE_LISTENER"
"""The descriptor of a socket that listens on the machine's 127.0.0.1, for --listen."""
