"""The pods beside Spark: one serves texts and fetches on behalf of others, others burn borrowed CPU time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.dns.names import Zones
from executor.names import SERVICE_KEY
from tests.support.rig import IMAGE, Rig

PORT = 8080
SERVICE = "texts"
BURN = ("sh", "-c", "sleep 1000 & while :; do :; done")
SERVICE_NAME = f"{SERVICE}.{Zones().service('default')}"
"""The name of all web pods together."""
_FETCH = """\
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
for try in $(seq 50); do
  wget -q -O - "http://$QUERY_STRING" && exit
  sleep 0.2
done
"""
_WORDS = ("pod", "task", "role", "offer", "agent", "master", "quota", "lease", "spark", "shuffle", "stage")


def full_name(pod: str) -> str:
    return f"{pod}.{Zones().pod('default')}"


def url(host: str) -> str:
    return f"http://{host}:{PORT}"


def texts(count: int, words: int = 20000) -> list[str]:
    """`count` different texts of some size."""
    return [" ".join(itertools.islice(itertools.cycle(_WORDS[: 3 + n % 9]), words + n)) for n in range(count)]


def word_count(texts: Sequence[str]) -> dict[str, int]:
    return dict(sum((Counter(text.split()) for text in texts), Counter()))


def publish(directory: Path, texts: Sequence[str]) -> None:
    """What the web server serves: text-N, and a program that fetches what its query names."""
    for number, text in enumerate(texts):
        (directory / f"text-{number}").write_text(text)
    program = directory / "cgi-bin" / "fetch"
    program.parent.mkdir()
    program.write_text(_FETCH)
    program.chmod(0o755)


def web(rig: Rig, name: str, directory: Path) -> dict[str, Any]:
    """A regular pod that serves `directory`, mounted from the node."""
    container = {
        "name": "web",
        "image": IMAGE,
        "command": ["httpd", "-f", "-p", str(PORT), "-h", "/www"],
        "volumeMounts": [{"name": "www", "mountPath": "/www", "readOnly": True}],
    }
    volumes = [{"name": "www", "hostPath": {"path": str(directory)}}]
    spec = {"containers": [container], "volumes": volumes}
    return rig.pod(name, spec=spec, metadata={"annotations": {SERVICE_KEY: SERVICE}})


def busy(rig: Rig, name: str) -> dict[str, Any]:
    return rig.pod(name, revocable=True, command=BURN, cpus=0.1)
