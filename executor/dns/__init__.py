"""Names of pods and Mesos tasks: a directory with one hosts file each, which a dnsmasq on the node watches.

names.py      what a pod or task is called (pure)
name_owners.py which file carries a name that several claim (pure)
hostsdir.py   the directory, written atomically
publisher.py  the executor's side: publish and withdraw a pod
publishable.py what a status of others may publish (pure)
refusals.py   what it may not, reported once
tasks.py      the tasks that have names, from state and events (pure)
sync.py       the synchroniser: from what Mesos tells (executor/mesos/operator) to files
dnsmasq.py    the server's settings, version and process
query.py      one DNS question                probe.py      whether what is published is answered

An executor publishes its own pods, at once and by itself. The synchroniser, one a node, publishes every other task
that its source knows: with a master as source those of the whole cluster. Both write to the same directory and never
touch what the other wrote: the part of a file's name before the first dot is its owner.
"""

from executor.dns.hostsdir import HostsDir, remove_owner
from executor.dns.names import PodNames
from executor.dns.publisher import Names

__all__ = ["HostsDir", "Names", "PodNames", "remove_owner"]
