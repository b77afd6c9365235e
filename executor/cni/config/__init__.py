"""Configurations of CNI networks: found, read, checked, chosen for a request."""
