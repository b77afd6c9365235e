"""A CNI runtime beside the Mesos agent's: it attaches pods to the agent's networks and touches nothing of others.

cni.py          attach, detach, check: the order of things, retries, undoing
attachment.py   requests and attachments (pure data)
config/         the directory of configurations, what each one can do, which one a request gets
plugins/        one chain of plugins, one run of a plugin, its result and its errors
rules/          port and masquerade rules: removed where plugins forget them, put back where others erase them
records/        what was attached, on disk; what the plugin host-local has reserved
netns.py        pinned network namespaces
resolver.py     resolv.conf, hosts, host names (pure)
"""

from executor.cni.attachment import Attachment, Bandwidth, Dns, NetworkRequest, PortMapping
from executor.cni.cni import Cni

__all__ = ["Attachment", "Bandwidth", "Cni", "Dns", "NetworkRequest", "PortMapping"]
