"""The preflight of a node: is everything there that pods need, and is a setting there that will do harm later?

finding.py   what a check says                    examine.py   all areas, one after the other
kernel.py    features and privileges              groups.py    cgroup hierarchies, controllers, delegation
runtime.py   containerd and runc                  network.py   CNI configurations, plugins, addresses
naming.py    the node's name server               agent.py     the Mesos agent's flags
node.py      clock, disks, directories, what dead executors left
portuse.py   offered ports that others have   policy.py    what the pods of each role may ask of the node
agentdisk.py the agent's disk quota           launcher.py  the agent's directory of programs
resolving.py the node's resolv.conf           variables.py variables that the agent gives to every executor
disk_weights.py disks that serve regular pods first
memory_events.py agents with cgroups2, and whose OOM they see
holes.py     known holes of runc and containerd by version
masks.py     a hole of runc that its version does not tell, tried
lending.py   what protects owners while the lender is dead
settings.py  sysctls, and daemons that kill when memory is short
verified.py  images in use that the operator's verifier refuses

Nothing is changed, but for a scratch cgroup, a scratch file, a scratch container and a test name, which are removed at
once.
"""
