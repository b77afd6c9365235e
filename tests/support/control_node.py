"""A node with executors that answer on real control sockets from canned documents, in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from executor.control.server import Request, Response, Routes, Server, Stream, socket_path
from executor.errors import InvalidRequest, NotFound, Refused
from executor.log.journal import Journal

T = TypeVar("T")


def pod(identity: str, name: str, **keys: Any) -> dict[str, Any]:
    """A pod's document as the executor shows it."""
    containers = keys.pop("containers", [container("main")])
    return {
        "pod": identity,
        "name": name,
        "namespace": "default",
        "class": "regular",
        "role": "eng",
        "state": "running",
        "tasks": [f"task-{name}"],
        "containers": containers,
        "ips": ["10.0.0.2/24"],
        "cgroup": "/x/pods/regular/eng/" + identity,
        "started_at": "2024-01-01T00:00:00.000Z",
        "age_s": 3725.5,
        "executor": "e-1",
        "labels": {},
        **keys,
    }


def container(name: str, **keys: Any) -> dict[str, Any]:
    return {
        "name": name,
        "id": f"id-{name}",
        "state": "running",
        "pid": 42,
        "image": "busybox",
        "exit_code": None,
        "restarts": 0,
        "log": {"stdout": "", "stderr": ""},
        **keys,
    }


RECEIPT = {
    "id": "r-1",
    "reason": "night",
    "state": "done",
    "victims": [
        {
            "pod": "pod-2",
            "tasks": ["t2"],
            "outcome": "exited",
            "notified": True,
            "ms": 12.5,
            "cpus": 1.5,
            "used_cpus": 0.5,
            "mem_bytes": 64 << 20,
        }
    ],
    "freed": {"cpus": 1.5, "used_cpus": 0.5, "mem_bytes": 64 << 20},
    "time_to_free_ms": 12.5,
    "regular": {"pods": 1, "processes": 2, "unchanged": True, "changed": [], "ended_meanwhile": []},
    "steps": [],
}


class Executor:
    """One executor's documents; tests change them while it answers."""

    def __init__(self, identity: str, pods: list[dict[str, Any]]) -> None:
        self.identity = identity
        """Its ExecutorID, which its pods name."""
        self.pods = pods
        self.ended: list[dict[str, Any]] = []
        self.receipt: dict[str, Any] = RECEIPT
        self.refusal = ""
        self.stuck_so_far = 0
        self.requests: list[Request] = []
        self.journal = Journal(None)

    async def who(self, _: Request) -> Response:
        return Response({"executor": self.identity})

    async def usage(self, _: Request) -> Response:
        return Response({"executor": self.identity, "classes": [], "pods": []})

    async def list_pods(self, request: Request) -> Response:
        return Response({"pods": [*self.pods, *(self.ended if request.query.get("all") == "1" else ())]})

    async def one_pod(self, request: Request) -> Response:
        name = request.parameters["pod"]
        fits = [each for each in self.pods if each["pod"].startswith(name) or name in (each["name"], *each["tasks"])]
        if len(fits) > 1:
            raise InvalidRequest(f"matches {len(fits)} pods", subject=f"pod {name}", hint="name one by its id")
        if not fits:
            raise NotFound("no such pod", subject=name)
        return Response(fits[0])

    async def one_revocation(self, request: Request) -> Response:
        if request.parameters["revocation"] != self.receipt["id"]:
            raise NotFound("no such revocation", subject=request.parameters["revocation"])
        return Response(self.receipt)

    async def revoke(self, request: Request) -> Response:
        self.requests.append(request)
        if self.refusal:
            raise Refused(self.refusal, hint="choose revocable pods")
        return (
            Response({"state": "running"}, status=202) if request.query.get("wait") == "0" else Response(self.receipt)
        )

    async def rehearse(self, request: Request) -> Response:
        self.requests.append(request)
        none = {"count": 0}
        history = {"revocations": none, "victims": none, "after_kill": none, "stuck": self.stuck_so_far}
        return Response({"would": self.receipt, "history": history})

    async def events(self, request: Request) -> Response | Stream:
        since = int(request.query.get("since", "0"))
        if request.query.get("follow") == "1":
            return Stream(self.journal.follow(since))
        return Response({"events": self.journal.events(since)})


class Node:
    """`run_dir` holds the sockets of the executors that were started."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[Server] = []

    def executor(self, identity: str, *pods: dict[str, Any], executor_id: str = "e-1") -> Executor:
        """`identity` is its container's."""
        executor = Executor(executor_id, list(pods))
        routes = {
            ("GET", "/v1/executor"): executor.who,
            ("GET", "/v1/usage"): executor.usage,
            ("GET", "/v1/pods"): executor.list_pods,
            ("GET", "/v1/pods/{pod}"): executor.one_pod,
            ("POST", "/v1/revocations"): executor.revoke,
            ("GET", "/v1/revocations/{revocation}"): executor.one_revocation,
            ("POST", "/v1/rehearsals"): executor.rehearse,
            ("GET", "/v1/events"): executor.events,
        }
        self.serve(identity, routes)
        return executor

    def serve(self, identity: str, routes: Routes) -> None:
        """An executor of these answers."""
        server = Server(socket_path(self.run_dir, identity), routes)
        self._run(server.start())
        self._servers.append(server)

    def dead_executor(self, identity: str) -> None:
        """Its socket is there, and nobody listens."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(socket_path(self.run_dir, identity)))

    def close(self) -> None:
        for server in self._servers:
            self._run(server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextlib.contextmanager
def hanging_executor(run_dir: Path, identity: str, answer: bytes = b"", *, wait: bool = False) -> Iterator[None]:
    """Accepts, sends `answer`, and hangs up; one that is to `wait` never answers."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(run_dir, identity)))
        listener.listen()
        thread = threading.Thread(target=_answer_all, args=(listener, answer))
        if not wait:
            thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        if not wait:
            thread.join()


@contextlib.contextmanager
def dripping_executor(
    run_dir: Path, identity: str, answer: bytes, every_s: float, paths: Sequence[str] = ()
) -> Iterator[list[bytes]]:
    """Sends `answer` to each request at once; where its path begins with one of `paths`, a byte in `every_s` seconds.
    Without paths that is every request. Yields the first lines of the requests that came.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    seen: list[bytes] = []
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            line = connection.recv(1 << 16).split(b"\r\n")[0]
            seen.append(line)
            if paths and not any(f" {path}".encode() in line for path in paths):
                connection.sendall(answer)
                return
            for place in range(len(answer)):
                if stop.wait(every_s):
                    return
                connection.sendall(answer[place : place + 1])

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=drip, args=(connection,)))
                threads[-1].start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(run_dir, identity)))
        listener.listen()
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        yield seen
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in threads:
            each.join()


def _answer_all(listener: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                if connection.recv(1 << 16):
                    connection.sendall(answer)
