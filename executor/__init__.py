"""mesos-pod-executor: a Mesos executor that runs pods through containerd.

Read three files, and the rest is where you would guess: this map, `pod/life/lifecycle.py` (what happens to a pod, as a
pure table), and `process/parts.py` (the parts, and what each one is given). packaging/doc/architecture.md has the
drawings.

    __main__      the entry: the executor when a Mesos agent starts it, else a command
    process/      this process from its start to its end: what it owns on the node, its parts
    dispatch/     what each Mesos event means: launches are read and admitted; when the executor ends

    spec/         the description of a pod: Kubernetes and Mesos documents become a PodSpec (pure)
    policy/       what a pod may ask of the node: Pod Security Standards for each role (pure)
    pod/          one pod: life/ (both life cycles, pure), its inbox, container/ (its containers), its release
    images/       images: pulled from registries, found, imported, unpacked, collected
    fetching/     the URIs of Mesos tasks: downloaded and unpacked into their sandboxes
    oci/          the OCI document of a container, and what of an image it needs
    volumes/      volumes of pods: their files, their mounts on the node, their owners
    exec/         the one way to run a further process in a container: hooks, probes, `exec`
    probes/       probes of containers: when they are due, what their results mean (pure), the ways to ask
    output/       what containers write: the log writer, rotation, retention
    disk/         counting and removing files of pods
    revocation/   taking resources back: request, selection (pure), ladder, receipt, proof; pressure
    reporting/    status updates to Mesos
    lending/      what owner roles do not use: the offer, loans and their accounts, return on demand

    mesos/        adapter: the driver on pymesos, events, resources, the agent's flags
    containerd/   adapter: one file a containerd service
    cni/          adapter: CNI runtime, network namespaces, resolv.conf and hosts
    netlink/      adapter: what the kernel has in the network namespaces of pods, by pyroute2's messages
    dns/          adapter: names of pods and Mesos tasks, served by a dnsmasq on the node

    node/         what executors own on this node, proof of death, the reaper, the inventory
    control/      the control socket
    metrics/      Prometheus metrics
    traces/       traces of launches, for OpenTelemetry
    doctor/       checks of the node
    cli/          the commands, one file each, in packages: pods, history (what happened), revocation, lending,
                  node, launch; executors finds and asks the executors of this node, printing prints

    config/       the configuration
    log/          the log, the journal, the lists of codes and keys

    errors, exhausted, names, hostnames, duration, quantity, bounded_json, bounded_toml, beneath, concurrency,
    own_directory, helper_process, host_namespace
                  small things that all share

Data flows one way: Mesos event -> pod's inbox -> lifecycle.step -> effects -> adapters -> events back -> updates.
Pure modules import the standard library and each other. Adapters never import each other. No package imports upwards:
tests/unit/test_layers.py lists the floors. `cgroups` stands beside this package and imports the standard library only.
"""

__version__ = "0.1.0"
