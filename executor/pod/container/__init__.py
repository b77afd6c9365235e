"""One pod's containers in containerd: made, started, probed, signalled, ended."""
