"""A pod that is described by a Kubernetes v1 Pod. Pure.

documents.py, container_documents.py   the documents, each field with its mark
companion_documents.py, companions.py  the objects that come with a pod: config maps, secrets, claims
pod.py, container.py                   from the documents to PodSpec and ContainerSpec
downward.py                            the downward API
"""
