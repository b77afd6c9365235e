"""`crun run` beside `runc run`: one container of the same bundle, made, run and removed, without containerd."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, Report
from tests.bench.peers.programs import CommandFailed, NotInstalled, environment, find, run
from tests.support.images import BUSYBOX

Document = Callable[[str, Path], dict[str, Any]]


def measure(directory: Path, document: Document, turns: int, tell: Callable[[str], None]) -> Report:
    """`document` makes the OCI document of a container from its name. Without crun, or where crun does not work with
    this machine's cgroups, one line says so.
    """
    bundle = directory / "bundle"
    for name in ("bin", "dev", "proc", "sys"):
        (bundle / "rootfs" / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, bundle / "rootfs/bin/true")
    taken: dict[str, list[float]] = {"runc": [], "crun": []}
    try:
        for turn in range(turns + 1):
            for name, each in taken.items():
                took_ms = _run(name, bundle, document, f"{name}-run-{turn}")
                if turn:  # the first warms up
                    each.append(took_ms)
    except (NotInstalled, CommandFailed) as error:
        reason = str(error)
        if isinstance(error, CommandFailed):
            reason = f"it does not work here: {error.output.splitlines()[-1]}"
        tell(f"crun: {reason}")
        return Report(absent={"crun": reason})
    figures = {name: Figure.of(each) for name, each in taken.items()}
    ratio = figures["crun"].over(figures["runc"])
    tell(f"crun run {figures['crun']} ms, runc run {figures['runc']} ms; ratio {ratio}")
    named = {f"{name} run, ms": figure for name, figure in figures.items()}
    return Report(figures={**named, "crun run over runc run": ratio})


def _run(name: str, bundle: Path, document: Document, container: str) -> float:
    made = document(container, bundle)
    network = [each for each in made["linux"]["namespaces"] if each["type"] != "network"]
    made["linux"] = made["linux"] | {"namespaces": [*network, {"type": "network"}]}
    made["process"] = made["process"] | {"args": ["true"]}
    (bundle / "config.json").write_text(json.dumps(made))
    program, env = find(name), environment()
    begin_s = time.perf_counter()
    run([program, "--root", str(bundle / name), "run", "--bundle", str(bundle), container], env)
    return (time.perf_counter() - begin_s) * 1e3
