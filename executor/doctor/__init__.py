"""The preflight of a node: is everything there that pods need, and is anything set so that it will do harm later?

finding.py   what a check says                    examine.py   all areas, one after the other
kernel.py    features and privileges              groups.py    cgroup hierarchies, controllers, delegation
runtime.py   containerd and runc                  network.py   CNI configurations, plugins, addresses
naming.py    the node's name server               agent.py     the Mesos agent's flags
node.py      clock, disks, directories, what dead executors left
portuse.py   offered ports that others have
holes.py     known holes of runc and containerd by version
settings.py  sysctls, and daemons that kill when memory is short
verified.py  images in use that the operator's verifier refuses

Nothing is changed but for what is taken back at once: a scratch cgroup, a scratch file, a name for a moment.
"""
