"""What executors own on this node: whose a thing is, whether its owner is dead, and the release of what dead ones left.

claims.py          the owner file and its lock
lock_identity.py   the identity of an owner's lock file, as text, and its proof: living, dead or unknown
owner_marks.py     that text in directories: a symbolic link that names no file
lock_holders.py    which process holds an owner's lock: the executor, or a reaper
judgement.py       the owners of a set of marks, sorted into living, dead and unknown
dead_executors.py  notices the death of another executor of this node
reaper.py          releases what dead executors left; reaping/ has the steps, kind by kind
ended_executors.py where the journals of ended executors are
inventory.py       what is on this node and whose it is, without changing anything
runtime_state.py   the directory of a container that a killed runc leaves
class_settings.py  CPUs and limits on disks that the configuration gives a class
runtime_choice.py  runc or crun, where the configuration leaves it open
shims.py, shim_group.py, shim_processes.py, shim_sockets.py   containerd's shims: their cgroups, processes, sockets

An owner is dead only if exactly its lock file (same path, device and inode) was locked by this process, or if it was
started before this boot of this machine. Everything else is unknown: it is reported and never touched.
"""
