"""A word count on Spark over texts that pods serve: `python3 job.py '{"master": ..., ...}'` is Spark's driver.

Each task fetches its text from the service that the pods stand behind, serves a token over HTTP itself, has every pod
fetch that token, and reports all it saw to the gate before it goes on. The driver has every pod call it, too.
Everything is called by its name, with the resolver of where it runs. Standard library and pyspark only; what is below
runs in Spark's executors.

The argument: `master`; `settings` (Spark's); `pods`, `service` and `gate` (base URLs); `driver_calls` (the pods' base
URLs where the driver is); `executors` (the names that Spark's executors will have); `partitions`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import add
from typing import Any

TIMEOUT_S = 150
NAMED_S = 30.0


def main(plan: dict[str, Any]) -> None:
    from pyspark import SparkConf, SparkContext  # type: ignore[import-not-found]  # of its own directory, not the venv

    began_s = time.monotonic()
    configuration = SparkConf().setMaster(plan["master"]).setAppName("wordcount").setAll(list(plan["settings"].items()))
    context = SparkContext(conf=configuration)
    try:
        ready_s = time.monotonic()
        driver = called_by(plan["driver_calls"], context.getConf().get("spark.driver.host"), "driver")
        partitions = plan["partitions"]
        words = context.parallelize(range(partitions), partitions).flatMap(_task(plan))
        counts = words.map(lambda word: (word, 1)).reduceByKey(add).collectAsMap()
        times = {"start_s": round(ready_s - began_s, 1), "job_s": round(time.monotonic() - ready_s, 1)}
        post(f"{plan['gate']}/result", {"counts": counts, "times": times, "driver": driver})
    finally:
        context.stop()


def _task(plan: dict[str, Any]) -> Callable[[int], list[str]]:
    """Defined here, so that Spark sends the whole module's functions by value."""

    def task(partition: int) -> list[str]:
        text = get(f"{plan['service']}/text-{partition}")
        calls = called_by(plan["pods"], own_name(plan["executors"]), f"token-{partition}")
        post(f"{plan['gate']}/arrive", {"partition": partition, "ip": own_address(), **calls})
        return text.split()

    return task


def called_by(pods: list[str], name: str, token: str) -> dict[str, Any]:
    """What each pod gets that calls this process by `name`, and who they seem to be."""
    seen: list[str] = []
    answers = [get(f"{pod}/cgi-bin/fetch?{name}:{port}/{token}") for port in serving(token, seen) for pod in pods]
    return {"name": name, "token": token, "answers": answers, "callers": seen}


def serving(text: str, seen: list[str]) -> Iterator[int]:
    """The port of a server that answers everything with `text` and notes who asks, until the iteration goes on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.client_address[0])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def own_address() -> str:
    """As a pod's or a task's hosts file has it."""
    return socket.gethostbyname(socket.gethostname())


def own_name(candidates: list[str]) -> str:
    """The one that has this process's own address; names come a moment after a task runs."""
    deadline_s = time.monotonic() + NAMED_S
    while time.monotonic() < deadline_s:
        for name in candidates:
            with contextlib.suppress(socket.gaierror):
                if socket.gethostbyname(name) == own_address():
                    return name
        time.sleep(0.1)
    raise LookupError(f"none of {candidates} is {own_address()}")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        return str(response.read().decode())


def post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        response.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
