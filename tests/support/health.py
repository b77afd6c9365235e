"""A real gRPC server with grpc.health.v1, in threads of this process, on every address of its network."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc


class Server(grpc.GenericRpcHandler):  # type: ignore[misc]
    """`port` is the one that it was given."""

    port = 0

    def __init__(self) -> None:
        self._state = 1

    def say(self, *, serves: bool) -> None:
        self._state = 1 if serves else 2

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: bytes([8, self._state]))


@contextmanager
def serving() -> Iterator[Server]:
    health = Server()
    server = grpc.server(ThreadPoolExecutor(2), handlers=(health,))
    health.port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    try:
        yield health
    finally:
        server.stop(0).wait()
