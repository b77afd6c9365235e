"""The networks, ports and name files that a pod is given."""
