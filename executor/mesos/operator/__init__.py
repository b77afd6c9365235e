"""Mesos' v1 operator API: what a master or an agent tells about tasks and containers.

messages.py   the documents of the API, as far as names need them (pure)
holdings.py   the same, as far as lending needs them (pure)
client.py     the API over HTTP: a state, or a master's stream of events
source.py     a master's stream, or an agent that is asked in an interval
"""

from executor.mesos.operator.client import Keys, NotAMaster, Operator, basic, credential
from executor.mesos.operator.source import Source

__all__ = ["Keys", "NotAMaster", "Operator", "Source", "basic", "credential"]
