"""A real Apache Mesos 1.11.0 for tests and the demo: built from a published package, run in private directories.

build.py, stubs.py, shim/   make the program once
server.py                   one process of it: ports, log, life and death
cluster.py                  a master and agents that leave nothing behind
options.py                  what an agent can be told, as MESOS_* variables
http.py, operator.py        the v1 HTTP interfaces' wire form; the operator interface
scheduler.py, messages.py   a small v1 scheduler, and builders for the JSON that it sends
wire.py, provider.py        revocable resources and QoS corrections: through the shim, or as a resource provider
command_executor.py         what stands in for mesos-executor (the package has none)
"""
