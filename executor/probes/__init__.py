"""Probes of containers: when they are due, what a row of results means, and the four ways to ask.

state.py    what results mean, as kubelet and Mesos' health checker count them (pure)
rhythm.py   when a probe is due (pure)
prober.py   the probes of one run of one container
ask.py      one question: exec, httpGet, tcpSocket or grpc, with its time limit
http.py, tcp.py, grpc_health.py   the ways through the network
sockets.py  connections into the network of a pod
spacing.py  spaces probes that are due at the same moment

A probe connects from the executor's own network to the address of the pod, as kubelet does. For a pod without an
address, for a loopback host, and for Mesos' checks it connects to the loopback of the pod's own network namespace.
"""
