"""The OCI document of a container, and what of an image it needs.

document.py     the document; mounts.py and seccomp.py are parts of it
secret_words.py keeps secrets out of the document; secret_runtime.py puts them in before runc reads it
users.py        which numbers a process runs as; image_users.py asks the image
image_files.py  files of an image, read from a snapshot
image_volumes.py  the VOLUMEs of an image, where the root file system is read only
node_root.py    the node's file system as a container's root, for Mesos tasks without an image
host_devices.py what of the node's kernel a container may be given
local_profiles.py the operator's seccomp and AppArmor profiles
place.py        where and how this node runs one container
"""
