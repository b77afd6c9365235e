"""Tests on a machine with cgroup v2 alone and systemd, which tests/support/vm starts."""
