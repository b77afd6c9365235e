"""The description of a pod: from what a framework sends to a checked PodSpec. Pure.

model.py       PodSpec and its parts, which all other packages read
objects.py     config maps, secrets and claims that a pod names
launch.py      from a LAUNCH to a PodSpec
document.py    from the bytes of TaskInfo.data to documents; yaml_document.py and yaml_scalars.py read YAML
marks.py       what happens to each field of a document; form.py reads documents by it, fields.py prints the table
checks.py      what both forms of description are held to; faults.py collects what is wrong
kubernetes/    a Kubernetes v1 Pod
mesos/         a Mesos TaskInfo
"""
