"""Pulling an image in a process of its own, so that neither its memory nor its work is the executor's.

process.py   the helper as the executor holds it
worker.py    the helper: one request, one pull, progress on the way
wire.py      the messages between the two
puller.py    from a name to an unpacked image; download.py fetches its layers
settings.py  what of the configuration concerns a pull
locks.py     one pull of an image at a time on this node
verifier.py  the operator's program that allows or refuses an image
"""
