"""Releases what a dead pod held: containers, network, cgroup, files."""
