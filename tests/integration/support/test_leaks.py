"""The leak counter sees what real CNI plugins make, and nothing once they have taken it back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

_CHECKOUT = Path(__file__).resolve().parents[3]
_PLUGINS = Path("/usr/lib/cni")
_PROBE = """
import json, os, subprocess, sys
from tests.support import cgroupdirs, leaks

network = {"cniVersion": "0.4.0", "name": "leak", "type": "bridge", "bridge": "leak0", "isGateway": True,
           "ipMasq": True, "ipam": {"type": "host-local", "subnet": "10.99.0.0/24"}}

def plugin(command, configuration):
    names = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/leak", "CNI_IFNAME": "eth0"}
    environment = os.environ | names | {"CNI_PATH": sys.argv[1]}
    program = f"{sys.argv[1]}/{configuration['type']}"
    return subprocess.run([program], input=json.dumps(configuration), env=environment, check=True, text=True,
                          stdout=subprocess.PIPE).stdout

counts = lambda: leaks.look(cgroup=os.environ["MPE_TEST_CGROUP"], extra={"images": lambda: ["busybox"]}).counts()
seen = [counts()]
subprocess.run(["ip", "netns", "add", "leak"], check=True)
result = json.loads(plugin("ADD", network))
mapping = {"cniVersion": "0.4.0", "name": "leak", "type": "portmap", "prevResult": result,
           "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}}
plugin("ADD", mapping)
own = str(cgroupdirs.mount_points(open("/proc/self/mountinfo").read())[0]) + os.environ["MPE_TEST_CGROUP"]
os.makedirs(own)
seen.append(counts())
plugin("DEL", mapping)
plugin("DEL", network)
subprocess.run(["ip", "netns", "del", "leak"], check=True)
os.rmdir(own)
seen.append(counts())
print(json.dumps(seen))
"""


@pytest.mark.skipif(not (_PLUGINS / "portmap").exists(), reason="needs containernetworking-plugins")
def test_what_plugins_make_is_counted_until_they_take_it_back(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.node", "--", sys.executable, "-c", _PROBE, str(_PLUGINS)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    output = subprocess.run(command, cwd=_CHECKOUT, env=environment, check=True, capture_output=True, text=True).stdout
    before, attached, after = json.loads(output)
    nothing = {"netns": 0, "veths": 0, "iptables": 0, "ips": 0, "cgroups": 0, "processes": 0, "images": 1}
    assert before == nothing
    assert attached["iptables"] > 0
    assert attached | {"iptables": 0} == nothing | {"netns": 1, "veths": 1, "ips": 1, "cgroups": 1}
    assert after == nothing
