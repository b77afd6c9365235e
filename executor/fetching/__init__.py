"""What Mesos tasks want in their sandbox before they start (CommandInfo.uris): fetched, and unpacked.

process.py  the helper process of one container's files, as the executor holds it
worker.py   that helper: HTTP by the client of registries, files of the node by descriptor
unpack.py   tar, zip and gz into a directory that nothing leads out of
"""
