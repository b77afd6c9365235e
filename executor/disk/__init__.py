"""The disk that pods use: counted per pod, held to limits, given back.

descriptors.py   directories by descriptor: no symbolic link is followed
removal.py       empties and removes a tree of any depth and size, part by part
walk.py          counts the blocks of a tree of any depth and size, part by part
unlinked.py      counts files that were removed and are still open
turns.py         threads of low priority for such work, so that no launch, kill or revocation waits for it
usage.py         what a pod uses, by part (pure)
limits.py        which limits a pod has, and which pod is over one (pure)
pace.py          when a pod is counted again (pure)
space.py         how much has been written to the file systems
agentquota.py    whether the agent limits the sandbox of the whole executor (pure)
task_sandboxes.py  the sandboxes of Mesos tasks of pods that have ended: their size, their removal
logs.py          cuts the logs of a pod that used too much disk
listing.py       the entries of a directory, with the offset at which the listing continues
failures.py      what could not be removed or read (pure)

executor.pod.disk.watch looks at free space, counts pods with these modules, and ends those that are over a limit.
"""
