"""The one way to run a further process in a container: for preStop hooks, for probes, and for `exec`.

run.py       `run(target, argv, timeout_s=...) -> Result`: one command, its exit code and the tail of its output
process.py   the process in containerd with its streams: made, started, waited for, removed
fifos.py     its streams
late.py      the ends of processes whose shim did not answer in time
"""
