"""CNI plugins that fail, hang or end by a signal, before or after the real plugin has done its work (faults.py).

    faults = make(directory)                # directory/plugins is for [cni] plugin_dirs
    faults.set(Plan(seed=7, rate=0.1, kinds=KINDS))

The name of a call is `plugin/COMMAND`, as in `bridge/ADD`. A plugin that calls another one for its addresses calls such
a wrapper too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.faults import Fault, Faults

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("fail-before", "fail-after", "hang-before", "hang-after", "killed-before", "killed-after")
REAL = Path("/usr/lib/cni")
_WRAPPER = """#!{python} -ISE
import sys
sys.path.insert(0, {root!r})
from tests.support.faults_cni import run
run({name!r}, {real!r}, {directory!r})
"""


def make(directory: Path, real: Path = REAL) -> Faults:
    """A wrapper in `directory`/plugins for each plugin that is in `real`."""
    plugins = directory / "plugins"
    plugins.mkdir(parents=True)
    for plugin in real.iterdir():
        text = _WRAPPER.format(
            python=sys.executable, root=str(ROOT), name=plugin.name, real=str(plugin), directory=str(directory)
        )
        wrapper = plugins / plugin.name
        wrapper.write_text(text)
        wrapper.chmod(0o755)
    return Faults(directory)


def run(name: str, real: str, directory: str) -> None:
    """A wrapper's work: that of the plugin `real`, with the next fault. Ends the process."""
    command = os.environ.get("CNI_COMMAND", "")
    fault = Faults(Path(directory)).next(f"{name}/{command}") if command in {"ADD", "DEL"} else None
    if fault is not None and fault.kind.endswith("-before"):
        _suffer(fault)
    done = subprocess.run([real], input=sys.stdin.buffer.read(), stdout=subprocess.PIPE, check=False)
    if fault is not None and fault.kind.endswith("-after"):
        _suffer(fault)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    os._exit(done.returncode)


def _suffer(fault: Fault) -> None:
    if fault.kind.startswith("hang"):
        time.sleep(fault.seconds)
    elif fault.kind.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        print(json.dumps({"cniVersion": "0.4.0", "code": 11, "msg": "injected"}), flush=True)
        os._exit(1)
