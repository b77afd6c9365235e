"""A directory of configurations, a directory of fake plugins and a runtime on them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from executor.cni import Cni, NetworkRequest

FAKE = Path(__file__).with_name("fake_plugin.py")
NETNS = Path("/proc/self/ns/net")
"""A network namespace that needs no root; fake plugins leave it alone."""

POD = "pod-0123456789ab"
NET = (NetworkRequest("net"),)


def running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    for _ in range(200):
        if not running(pid):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"process {pid} still runs")


class Bench:
    def __init__(self, directory: Path, timeout_s: float = 20.0) -> None:
        self.config_dir = directory / "net.d"
        self.plugin_dir = directory / "bin"
        self.state_dir = directory / "state"
        self.config_dir.mkdir()
        self.plugin_dir.mkdir()
        self.cni = self.runtime(timeout_s)

    def runtime(self, timeout_s: float = 20.0) -> Cni:
        """One more, as an executor started anew."""
        return Cni(self.config_dir, [self.plugin_dir], self.state_dir, timeout_s, retry_delays_s=(0.01, 0.01))

    def conf(self, file: str, conf: object) -> Path:
        path = self.config_dir / file
        path.write_text(conf if isinstance(conf, str) else json.dumps(conf))
        return path

    def conflist(self, *types: str, name: str = "net", version: str = "1.0.0", **more: Any) -> Path:
        plugins = [{"type": kind} for kind in types]
        for kind in types:
            if not (self.plugin_dir / kind).exists():
                self.plugin(kind)
        return self.conf(f"{name}.conflist", {"cniVersion": version, "name": name, "plugins": plugins, **more})

    def plugin(self, kind: str, **steps: list[dict[str, Any]]) -> Path:
        path = self.plugin_dir / kind
        path.write_text(f"#!{sys.executable} -IS\n{FAKE.read_text()}")
        path.chmod(0o755)
        (self.plugin_dir / f"{kind}.steps.json").write_text(json.dumps(steps))
        return path

    def calls(self, *commands: str) -> list[dict[str, Any]]:
        log = self.plugin_dir / "calls.jsonl"
        every = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        wanted = commands or ("ADD", "DEL", "CHECK")
        return [each for each in every if each["command"] in wanted]

    def sequence(self, *commands: str) -> list[str]:
        return [f"{each['command']} {each['plugin']}" for each in self.calls(*commands)]

    async def called(self, call: str) -> None:
        """Waits until a call, as in `sequence`, has begun."""
        while call not in self.sequence():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)

    def records(self) -> list[str]:
        return sorted(str(path.relative_to(self.state_dir)) for path in self.state_dir.rglob("*") if path.is_file())
