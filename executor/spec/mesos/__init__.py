"""A pod that is described by Mesos TaskInfos. Pure.

taskinfo.py  the document, each field with its mark
pod.py       from tasks without data to a PodSpec
fields.py    fields of a TaskInfo that mean the same with and without data
message.py   what all messages share

Other files are named after what they read: checks.py (check_documents.py has the documents), linux.py
(linux_documents.py), images.py, sandboxes.py (URIs and the task's directory), secrets.py, volumes.py.
"""
