"""The node's images: found, imported, unpacked.

store.py        the images of the node in containerd: look-up, import, unpacking
reference.py    how images are named
manifest.py     indexes, manifests and configurations
layouts.py      what an archive says it holds; archive.py reads its file
unpack.py       layers become snapshots
model.py        what an image is to the rest of the program
"""
