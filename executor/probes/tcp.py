"""A connection that is opened and closed at once.

Source: kubelet's pkg/probe/tcp; src/checks/tcp_connect.cpp of Mesos.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from executor.probes.sockets import why
from executor.probes.state import Result

if TYPE_CHECKING:
    from executor.probes.sockets import Place, Sockets


async def probe(place: Place, sockets: Sockets) -> Result:
    """Whether something listens there. Its time limit is the caller's."""
    loop = asyncio.get_running_loop()
    try:
        connected = await sockets.connected(place)
        if connected is not None:
            connected.close()
        else:
            transport, _ = await loop.create_connection(asyncio.Protocol, place.host, place.port)
            transport.abort()  # nothing was written, so this is an ordinary end of the connection
    except OSError as error:
        return Result(ok=False, message=f"cannot connect to {place.text}: {why(error)}", value=False)
    return Result(ok=True, value=True)
