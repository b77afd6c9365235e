"""The node's images: pulled, found, imported, unpacked, collected.

images.py       what launches ask: an image by its policy, pulled and tried again; collection.py makes room
store.py        the images of the node in containerd: look-up, import, unpacking
reference.py    how images are named
policy.py       when an image is pulled, and when again
manifest.py     indexes, manifests and configurations; select.py chooses among them, by platforms.py
node_platform.py  the machine and the CPU of this node
layouts.py      what an archive says it holds; archive.py reads its file
unpack.py       layers become snapshots
room.py         how full the disk of images is, and work that ends before it fills it
model.py        what an image is to the rest of the program
failures.py     what goes wrong with a pull
pulling/        one pull, in a process of its own
registry/       where images are pulled from
"""
