"""Whether a name that is published is answered, and no longer once it is withdrawn: the whole way, for `dns check`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from executor.dns.hostsdir import HostsDir
from executor.dns.names import hosts_text
from executor.dns.query import NXDOMAIN, ask
from executor.errors import ExecutorError, Failure, TimedOut

ADDRESS = "192.0.2.1"  # documentation's own (RFC 5737)
OWNER = "check"
_STEP_S = 0.01


@dataclass(frozen=True)
class Probe:
    """One server: how long a name took to appear and to go; `error` says what went wrong, in words."""

    server: str
    appeared_ms: float | None = None
    gone_ms: float | None = None
    error: str = ""


def probe(hosts: HostsDir, server: str, domain: str, *, timeout_s: float = 3.0) -> Probe:
    """Publishes a name of its own for a moment."""
    name = f"p{os.getpid()}-{os.urandom(4).hex()}"
    question = f"{name}.{domain}"
    try:
        hosts.ensure()
        try:
            hosts.write(OWNER, name, hosts_text("a probe", [(ADDRESS, question)]))
            appeared_ms = _until(server, question, (ADDRESS,), timeout_s)
        finally:
            hosts.remove(OWNER, name)
        return Probe(server, appeared_ms, _until(server, question, (), timeout_s))
    except ExecutorError as error:
        return Probe(server, error=str(error))


def _until(server: str, question: str, values: tuple[str, ...], timeout_s: float) -> float:
    begin_s = time.monotonic()
    while (passed_s := time.monotonic() - begin_s) < timeout_s:
        answer = ask(server, question, timeout_s=timeout_s - passed_s)
        if answer.values == values:
            if not values and answer.rcode != NXDOMAIN:
                raise Failure(f"does not know that {question} is its own (rcode {answer.rcode})", subject=server)
            return round((time.monotonic() - begin_s) * 1000, 2)
        time.sleep(_STEP_S)
    verb = "does not answer" if values else "still answers"
    raise TimedOut(f"{verb} {question} after {timeout_s} s", subject=server, hint="does it watch [dns] hosts_dir?")
