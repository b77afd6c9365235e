"""A pod that is described by a Kubernetes v1 Pod. Pure.

pod_documents.py,
container_documents.py                 the documents, each field with its mark
companion_documents.py, companions.py  the objects that come with a pod: config maps, secrets, claims
pod.py, container.py                   from the documents to PodSpec and ContainerSpec
downward.py                            the downward API
document_types.py                      the form and the types of values that all documents share
workloads.py                           the pods of a file of Deployments, Jobs and other workloads

Other files are named after the fields that they read. The documents of some stand apart: volume_documents.py and
volumes.py, probe_documents.py and probes.py, placement_documents.py and placement.py. amounts.py, huge_pages.py and
extended_resources.py read resources; confinement.py and security.py security contexts; resolving.py DNS; names.py
checks names; environment.py, init_containers.py, mounts.py, ports.py and pull_secrets.py read what they are called.
"""
