"""`executor-info`: an ExecutorInfo (Mesos v1 JSON) that fits the class of pods it is for.

Rules of the master (src/master/validation.cpp): a resource name may not be both revocable and not across a task and its
ExecutorInfo, so an executor for both classes must not list `cpus`; LAUNCH_GROUP demands cpus, mem and disk of the
executor, its cpus of the tasks' kind.
"""

from __future__ import annotations

from typing import Any, Final

import click

from executor.cli.printing import output
from executor.cli.session import json_option

_NOTES: Final = {
    "mixed": "for LAUNCH only; agents need --no-revocable_cpu_low_priority and no QoS controller that kills",
    "regular": "for regular pods only, by LAUNCH or LAUNCH_GROUP",
    "revocable": "for revocable pods only, by LAUNCH or LAUNCH_GROUP; run it beside an executor for regular pods",
}
_SHUTDOWN_GRACE_S: Final = 45  # the default pods.termination_grace_s, and time to take pods down and be acknowledged


@click.command("executor-info")
@click.option("--class", "kind", type=click.Choice(list(_NOTES)), default="mixed", show_default=True)
@click.option("--name", default="mesos-pod-executor", show_default=True, help="The executor's name.")
@click.option("--id", "identity", help="The ExecutorID (default: NAME, and the class unless it is mixed).")
@click.option("--command", "path", default="/usr/bin/mesos-pod-executor", show_default=True)
@click.option(
    "--config", "file", default="", metavar="FILE", help="The configuration file that the executor is to read."
)
@click.option("--cpus", type=click.FloatRange(min=0.01), default=0.1, show_default=True)
@click.option("--mem", type=click.FloatRange(min=32), default=96.0, show_default=True, help="MiB.")
@click.option("--disk", type=click.FloatRange(min=1), default=32.0, show_default=True, help="MiB.")
@json_option
def command(*, kind: str, name: str, identity: str | None, path: str, file: str, as_json: bool, **sizes: float) -> None:
    """Print an ExecutorInfo for this executor, as JSON."""
    identity = identity or (name if kind == "mixed" else f"{name}-{kind}")
    output.json_document(executor_info(kind, name, identity, path, sizes, file))
    if not as_json:
        output.note(_NOTES[kind])


def executor_info(
    kind: str, name: str, identity: str, path: str, sizes: dict[str, float], config: str = ""
) -> dict[str, Any]:
    """`kind` is regular, revocable or mixed; `sizes` has cpus, mem (MiB) and disk (MiB). `config` names the file that
    the executor reads in the place of the default one.
    """
    resources = [_scalar(resource, value) for resource, value in sizes.items()]
    if kind == "mixed":
        resources = resources[1:]
    if kind == "revocable":
        resources[0]["revocable"] = {}
    return {
        "type": "CUSTOM",
        "executor_id": {"value": identity},
        "name": name,
        "command": {"shell": False, "value": path, "arguments": [path, *(["--config", config] if config else [])]},
        "resources": resources,
        "shutdown_grace_period": {"nanoseconds": _SHUTDOWN_GRACE_S * 10**9},
    }


def _scalar(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}
