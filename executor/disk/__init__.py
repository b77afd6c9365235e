"""The disk that pods use: counted per pod, held to limits, given back.

descriptors.py   directories by descriptor: no symbolic link is followed, no mount is crossed
removal.py       empties and removes a tree of any depth and size, part by part
walk.py          counts the blocks of a tree of any depth and size, part by part
turns.py         threads of low priority for such work, so that no launch, kill or revocation waits for it
usage.py         what a pod uses, by part (pure)
limits.py        which limits a pod has, and which pod is over one (pure)
pace.py          when a pod is counted again (pure)
watch.py         looks at free space, counts the pods that may be over a limit, and ends those that are
"""
