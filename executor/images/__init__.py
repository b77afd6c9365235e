"""The node's images: pulled, found, imported, unpacked.

store.py        the images of the node in containerd: look-up, import, unpacking
reference.py    how images are named
policy.py       when an image is pulled, and when again
manifest.py     indexes, manifests and configurations; select.py chooses among them, by platforms.py
layouts.py      what an archive says it holds; archive.py reads its file
unpack.py       layers become snapshots
model.py        what an image is to the rest of the program
registry/       where images are pulled from
"""
