"""mesos-pod-executor: a Mesos executor that runs pods through containerd.

Read three files and the rest is where you would guess:

    executor/__init__.py         this map
    executor/pod/lifecycle.py    what happens to a pod, as a pure table
    executor/composer.py            the composer: which part is given which

    mesos/        the driver (on pymesos), status updates, TaskInfo and its resources
    pod/          specification (pure), life cycle (pure), OCI document (pure), and the runner that carries effects out
    revocation/   request, selection of victims (pure), the ladder, receipts, the proof that regular pods were spared
    containerd/   one file per containerd service
    disk/         what pods use of the disk: counted, held to limits, removed
    cni/          CNI runtime, network namespaces, resolv.conf and hosts
    dns/          names of pods and Mesos tasks, served by a dnsmasq on the node
    cli/          one file a command; they talk to the executor's control socket
    control.py    the control socket's server
    concurrency.py    work that no cancellation cuts short

Data flows one way: Mesos event -> pod's inbox -> lifecycle.step -> effects -> adapters -> events back -> updates.
Pure modules import the standard library and each other. Adapters import errors, names, config and log, never each
other.
`cgroups` stands beside this package and imports the standard library only.
"""

__version__ = "0.1.0"
