"""Whose a thing on the node is, and whether its owner is dead.

identity.py   the identity of an owner's lock file, as text, and its proof: living, dead or unknown
marks.py      that text in directories: a symbolic link that names no file
judgement.py  the owners of a set of marks, sorted into living, dead and unknown

An owner is dead only if exactly its lock file (same path, device and inode) was locked by this process, or if it was
started before this boot of this machine. Everything else is unknown: it is reported and never touched.
"""
