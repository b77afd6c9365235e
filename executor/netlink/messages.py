"""The documents of rtnetlink (rtnetlink(7), linux/rtnetlink.h), as pyroute2 encodes and decodes them.

`import pyroute2` loads all of the library: 12 MB and 0.1 s on top of what an executor has. Only its messages are used
here: with the package's own `__init__` left out they cost 0.7 MB and 10 ms, and the sockets are the standard library's
(pyroute2's would each bring an event loop, and a process for each namespace). Import this module where it is needed,
not at the start of the program.
"""

from __future__ import annotations

import importlib.util
import sys

if "pyroute2" not in sys.modules:
    _spec = importlib.util.find_spec("pyroute2")
    if _spec is None:
        raise ModuleNotFoundError("pyroute2", name="pyroute2")
    sys.modules["pyroute2"] = importlib.util.module_from_spec(_spec)

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ifstatsmsg import ifstatsmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.ndmsg import states as neighbour_states
from pyroute2.netlink.rtnl.rtmsg import rtmsg

__all__ = ["ifaddrmsg", "ifinfmsg", "ifstatsmsg", "ndmsg", "neighbour_states", "rtmsg"]
