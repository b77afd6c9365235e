"""A word count on Spark over texts that pods serve: `python3 job.py '{"master": ..., ...}'` is Spark's driver.

Each task fetches its text from one pod, serves a token over HTTP itself, has every pod fetch that token, and reports
all it saw to the gate before it goes on. Standard library and pyspark only; what is below runs in Spark's executors.

The argument: `master`; `settings` (Spark's); `pods` (base URLs); `partitions`; `gate` (base URL).
"""

from __future__ import annotations

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


def main(plan: dict[str, Any]) -> None:
    from pyspark import SparkConf, SparkContext  # type: ignore[import-not-found]  # of its own directory, not the venv

    began_s = time.monotonic()
    settings = {"spark.driver.host": own_address(), **plan["settings"]}
    configuration = SparkConf().setMaster(plan["master"]).setAppName("wordcount").setAll(list(settings.items()))
    context = SparkContext(conf=configuration)
    try:
        ready_s = time.monotonic()
        partitions = plan["partitions"]
        words = context.parallelize(range(partitions), partitions).flatMap(_task(plan))
        counts = words.map(lambda word: (word, 1)).reduceByKey(add).collectAsMap()
        times = {"start_s": round(ready_s - began_s, 1), "job_s": round(time.monotonic() - ready_s, 1)}
        post(f"{plan['gate']}/result", {"counts": counts, "times": times})
    finally:
        context.stop()


def _task(plan: dict[str, Any]) -> Callable[[int], list[str]]:
    """Defined here, so that Spark sends the whole module's functions by value."""

    def task(partition: int) -> list[str]:
        pods = plan["pods"]
        text = get(f"{pods[partition % len(pods)]}/text-{partition}")
        own = own_address()
        token = f"token-{partition}"
        seen: list[str] = []
        answers = [get(f"{pod}/cgi-bin/fetch?{own}:{port}/{token}") for port in serving(token, seen) for pod in pods]
        report = {"partition": partition, "ip": own, "answers": answers, "callers": seen, "token": token}
        post(f"{plan['gate']}/arrive", report)
        return text.split()

    return task


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


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        return str(response.read().decode())


def post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        response.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
