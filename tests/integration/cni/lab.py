"""A node for pods: a CNI network, a runtime on it, and a look at everything that could be left behind.

The network namespace of the test run plays the host. Every lab has a bridge and a subnet of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from executor.cni import Attachment, Cni, NetworkRequest, netns

REAL_PLUGINS = Path("/usr/lib/cni")
_numbers = count(1)
_SERVER = """
import socket, sys
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    connection, peer = listener.accept()
    connection.sendall(f"{sys.argv[2]} {peer[0].removeprefix('::ffff:')}".encode())
    connection.close()
"""
_CLIENT = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
print(connection.makefile().read())
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def inside(path: Path, *command: str) -> list[str]:
    return ["nsenter", f"--net={path}", *command]


def ask(address: str, port: int, pin: Path | None) -> tuple[str, str]:
    client = [sys.executable, "-IS", "-c", _CLIENT, address.partition("/")[0], str(port)]
    name, seen = run(*(inside(pin, *client) if pin else client)).split()
    return name, seen


class Lab:
    def __init__(self, directory: Path) -> None:
        self.number = next(_numbers)
        self.bridge = f"lab{self.number}"
        self.gateway = f"10.77.{self.number}.1"
        self.directory = directory
        self.config_dir = directory / "net.d"
        self.state_dir = directory / "state"
        self.pins = directory / "netns"
        self.ipam_dir = directory / "ipam"
        self.config_dir.mkdir()
        self.servers: list[subprocess.Popen[str]] = []
        self.conf("podnet", self.bridge_plugin())
        self.cni = self.runtime()
        self._found = {*self._links(), *self.rules()}

    def runtime(self, *plugin_dirs: Path, timeout_s: float = 30.0) -> Cni:
        return Cni(self.config_dir, [*plugin_dirs, REAL_PLUGINS], self.state_dir, timeout_s)

    def ipam(self, *subnets: str) -> dict[str, Any]:
        ranges = [[{"subnet": subnet}] for subnet in subnets or (f"10.77.{self.number}.0/24",)]
        return {
            "type": "host-local",
            "dataDir": str(self.ipam_dir),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}, *([{"dst": "::/0"}] if len(ranges) > 1 else [])],
        }

    def bridge_plugin(self, *subnets: str) -> dict[str, Any]:
        flags = {"isGateway": True, "ipMasq": True, "hairpinMode": True}
        dns = {"nameservers": [self.gateway], "domain": "mesos", "search": ["mesos"]}
        return {"type": "bridge", "bridge": self.bridge, **flags, "ipam": self.ipam(*subnets), "dns": dns}

    def conf(self, name: str, plugin: dict[str, Any], version: str = "0.2.0") -> Path:
        """As the Mesos agent needs it: one plugin, an old version."""
        path = self.config_dir / f"{name}.conf"
        path.write_text(json.dumps({"cniVersion": version, "name": name, **plugin}))
        return path

    def conflist(self, name: str, *plugins: dict[str, Any], version: str = "1.0.0") -> Path:
        path = self.config_dir / f"{name}.conflist"
        path.write_text(json.dumps({"cniVersion": version, "name": name, "plugins": plugins}))
        return path

    def pin(self, pod: str) -> Path:
        return self.pins / pod

    async def up(self, pod: str, *requests: NetworkRequest, cni: Cni | None = None) -> tuple[Attachment, ...]:
        await netns.ensure(self.pin(pod))
        return await (cni or self.cni).attach(pod, self.pin(pod), requests or (NetworkRequest("podnet"),))

    async def down(self, pod: str, cni: Cni | None = None) -> None:
        await (cni or self.cni).detach(pod, self.pin(pod))
        await netns.destroy(self.pin(pod))

    async def serve(self, pod: str, port: int) -> None:
        """A server in the pod that answers with the pod's name and the address it sees."""
        await asyncio.to_thread(self.start_server, self.pin(pod), port, pod)

    def start_server(self, pin: Path, port: int, name: str) -> None:
        command = inside(pin, sys.executable, "-IS", "-c", _SERVER, str(port), name)
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    async def ask(self, address: str, port: int, pod: str = "") -> tuple[str, str]:
        """From a pod, or from the host: who answers, and from where the question seems to come."""
        return await asyncio.to_thread(ask, address, port, self.pin(pod) if pod else None)

    def addresses(self) -> dict[str, str]:
        """host-local's books: address to owner."""
        files = [path for path in self.ipam_dir.rglob("*") if re.match(r"[0-9a-f]+[.:]", path.name)]
        return {path.name: path.read_text().split()[0] for path in files}

    def retries(self) -> dict[str, Sequence[object]]:
        """Whatever an attachment makes, and may leave; every list is empty on a clean node."""
        return {
            "addresses": list(self.addresses().values()),
            "links": [link for link in self._links() if link not in self._found],
            "rules": [rule for rule in self.rules() if rule not in self._found],
            "records": [str(path) for path in self.state_dir.rglob("*")],
            "pins": [str(path) for path in netns.pinned(self.pins)],
            "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.pins) in line],
        }

    def _links(self) -> list[str]:
        links = [link["ifname"] for link in json.loads(run("ip", "-json", "link", "show"))]
        return [link for link in links if link not in ("lo", self.bridge)]

    def rules(self) -> list[str]:
        """Those of single attachments; the plugins' common chains stay for ever."""
        rules = [*run("iptables-save").splitlines(), *run("ip6tables-save").splitlines()]
        return [rule for rule in rules if "id: " in rule or re.search(r"CNI-([0-9a-f]{24}|DN-)", rule)]

    def clean(self) -> bool:
        return not any(self.retries().values())

    def close(self) -> None:
        for server in self.servers:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
        subprocess.run(["ip", "link", "delete", self.bridge], check=False, capture_output=True)
        for command in ("iptables", "ip6tables"):  # a failed test must not fail the next
            run(command, "-t", "nat", "-F")
            run(command, "-t", "nat", "-X")
