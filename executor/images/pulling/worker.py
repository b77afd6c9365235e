"""The helper of a pull: reads one request from its standard input, pulls, and writes what happens to its output.

Its standard input stays open while the executor lives; when it ends, so does the helper. What it has fetched by then
is in containerd, for the next pull.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from executor.errors import ExecutorError, Failure
from executor.images.pulling import verifier, wire


def main() -> None:
    """Ends with 0 after a pull, with 1 after a failure, which is its last line."""
    try:
        request = wire.decode_request(sys.stdin.buffer.readline(wire.REQUEST.size_bytes + 1))
        threading.Thread(target=_end_with_the_executor, daemon=True).start()
        asyncio.run(_pull(request))
    except Exception as error:
        _say(wire.encode_failure(Failure(f"the helper of a pull failed: {type(error).__name__}: {error}")))
        raise


def _end_with_the_executor() -> None:
    os.read(sys.stdin.fileno(), 1)
    verifier.end_all()
    os._exit(1)


async def _pull(request: wire.Request) -> None:
    from executor.containerd import Containerd
    from executor.images.pulling.puller import pull
    from executor.images.store import ImageStore

    settings = request.settings
    try:
        async with await Containerd.connect(settings.address, settings.namespace) as containerd:
            await pull(containerd, ImageStore(containerd), request, lambda each: _say(wire.encode_progress(each)))
    except ExecutorError as error:
        _say(wire.encode_failure(error))
        os._exit(1)  # threads that wait for a registry would delay the end of the process


def _say(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line)


if __name__ == "__main__":
    main()
