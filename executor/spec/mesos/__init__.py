"""A pod that is described by Mesos TaskInfos. Pure.

taskinfo.py  the document, each field with its mark
pod.py       from tasks without data to a PodSpec
fields.py    fields of a TaskInfo that mean the same with and without data
"""
