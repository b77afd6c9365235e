"""A CNI runtime beside the Mesos agent's: it attaches pods to the agent's networks and touches nothing of others.

cni.py          attach, detach, check: the order of things, retries, undoing
chain.py        one attachment through its chain of plugins
plugin.py       one run of one plugin
catalog.py      the directory of configurations          conflist.py   one configuration (pure)
cache.py        what was attached, on disk               attachment.py requests and attachments (pure data)
capability.py   what a request hands to the plugins (pure)
result.py       results of every CNI version (pure)      version.py    the versions (pure)
shape.py        their types (pure)                       limit.py      how long a release may take
rules.py        rules that plugins forget                rulekeeper.py rules that others erase
rulelines.py    which rules are whose (pure)             nfevents.py   removals of rules, as the kernel tells them
lint.py         dangers of configurations (pure)
netns.py        pinned network namespaces
resolver.py     resolv.conf, hosts, host names (pure)
"""

from executor.cni.attachment import Attachment, Bandwidth, Dns, NetworkRequest, PortMapping
from executor.cni.cni import Cni

__all__ = ["Attachment", "Bandwidth", "Cni", "Dns", "NetworkRequest", "PortMapping"]
