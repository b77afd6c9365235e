"""What a pod may ask of the node: Kubernetes' Pod Security Standards and the allow-lists of [policy]. Pure.

violations.py  all violations of one pod, and the pod as its role's policy lets it run
baseline.py    the controls of the standard's baseline level
restricted.py  the controls that its restricted level adds
node_facts.py  what a policy must know of the node's configuration
grants.py      what the standard does not have: networks, addresses, priorities, directories never shown
violation.py   one violation: path, control, hint

Source: Kubernetes, "Pod Security Standards" (docs/concepts/security/pod-security-standards), as of 1.34, and the checks
of k8s.io/pod-security-admission/policy. executor/config/role_policy.py has the policy of a role.
"""
