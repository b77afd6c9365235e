"""What the kernel has in the network namespaces of pods, by rtnetlink. Never on the way of a launch.

state.py        links, addresses, routes, neighbours and counters (pure)
messages.py     the documents of rtnetlink, which pyroute2 encodes and decodes
requests.py     one request on a socket, and what the kernel answers
namespaces.py   sockets in other network namespaces
comparison.py   what the CNI plugins said beside what the kernel has (pure)
watch.py        the networks of this executor's pods: compared after ADD and after each change; their counters

Whether a plugin did what it says can be known from the kernel only, and so can what others change afterwards.
"""

from executor.netlink.namespaces import visit
from executor.netlink.state import Namespace, Traffic
from executor.netlink.watch import NetworkWatch

__all__ = ["Namespace", "NetworkWatch", "Traffic", "visit"]
