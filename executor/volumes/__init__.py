"""Volumes of pods.

pod_volumes.py   all volumes of one pod: made, mounted, updated, released
empty_dir.py     where emptyDir volumes are
host_path.py     hostPath: what the type demands
closed_directories.py  what no hostPath shows
files.py         configMap, secret, downwardAPI, projected: files that change all at once
shared_memory.py /dev/shm and the IPC namespace of a pod
sub_path.py      a part of a volume, found without leaving it
ownership.py     fsGroup: the group of all files of a volume
host_mounts.py   mounts on the node
mount_tree.py    their release
mountinfo.py     the kernel's table of mounts
"""
