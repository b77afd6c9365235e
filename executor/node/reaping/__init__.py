"""What dead executors leave on the node, kind by kind; executor/node/reaper.py puts the steps in order.

found.py       every thing that carries an executor's name, with the identity of its owner's lock
containers.py  records, tasks, snapshots and leases of containerd, released in parallel within a budget
shims.py       shims that live on without a record, with their sockets and bundles
networks.py    attachments and network namespaces
volumes.py     mounts of volumes
groups.py      cgroups: what must go at once so that the agent can finish, and parents without any group in them
assumed.py     what an unknown owner left, when an operator says that it is dead
leaving.py     the marks of an executor, made at its start and removed by a clean end
watcher.py     the process that outlives an executor and starts the reaper
"""
