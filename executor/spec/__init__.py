"""The description of a pod: from what a framework sends to a checked PodSpec. Pure.

model.py       PodSpec and its parts, which all other packages read
objects.py     config maps, secrets and claims that a pod names
launch.py      from a LAUNCH to a PodSpec
checks.py      rules for both forms of description
reading/       from bytes to documents: YAML and JSON, marks of fields, all faults of a document
kubernetes/    a Kubernetes v1 Pod
mesos/         a Mesos TaskInfo

Parts of a PodSpec: volume_model.py, security_model.py, probes.py, capabilities.py, command.py, checkpoint.py,
volume_files.py (which files a volume shows), mount_part.py (subPath), network_annotations.py, trace_context.py.
signals.py, expansion.py ($(NAME) in texts), peak.py (what containers hold at most) and roles.py (namespaces and limits
of roles) are rules, restart_rule.py those of restarts. Two MESSAGEs of frameworks: object_update.py brings new
ConfigMaps and Secrets, resize.py other amounts of cpu and memory; task_message.py is the form of both.
"""
