"""The cgroups package on this machine's real hierarchies."""
