"""The OCI document of a container, and what of an image it needs.

document.py     the document; mounts.py, seccomp.py, command.py are parts of it
secret_words.py keeps secrets out of the document; secret_runtime.py puts them in before runc reads it
users.py        which numbers a process runs as; image_users.py asks the image
image_files.py  files of an image, read from a snapshot
placement.py    from the paths of a pod on this node to its document
"""
