"""Unit tests of the cgroups package: no root, no cgroup file system."""
