"""`run`: the pods of a file on the cluster, from one terminal, as a framework of its own that ends with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from executor.cli.launch.executor_info import executor_info
from executor.cli.launch.task import tasks_of
from executor.cli.launch.validate import read
from executor.cli.printing import output
from executor.cli.printing.written import written
from executor.cli.session import Session, json_option, pass_session
from executor.errors import InvalidTask

Json = dict[str, Any]
CAPABILITIES: Final = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE", "TASK_KILLING_STATE")
NAME: Final = "mesos-pod-executor"
_SIZES: Final = {"cpus": 0.1, "mem": 96.0, "disk": 32.0}


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--master", required=True, metavar="HOST:PORT", help="Any master of the cluster.")
@click.option("--role", default="*", show_default=True, help="The role whose resources the pods use.")
@click.option("--revocable", is_flag=True, help="Use revocable cpus.")
@click.option("--principal", default="", metavar="NAME", help="The principal of this framework at the master.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="A file with the secret of --principal.")
@click.option("--command", "path", default=f"/usr/bin/{NAME}", show_default=True, help="This program, on the agents.")
@click.option("--config", default="", metavar="FILE", help="The executor's configuration file, on the agents.")
@click.option("--executor-info", "info_file", type=click.Path(path_type=Path), metavar="FILE",
              help="An ExecutorInfo to use; --command and --config have no effect then.")  # fmt: skip
@json_option
@pass_session
def command(session: Session, /, file: Path, *, role: str, revocable: bool, as_json: bool, **options: Any) -> int:
    """Run the pods of FILE (- for stdin) on the cluster, and stay until they have ended.

    FILE is as for task: pods, or workloads, of which as many pods are made as they ask for. Each waits for an offer
    that is large enough. Their states are printed on stderr, what their containers write on stdout and stderr. The exit
    code is that of the first container that did not end with 0; 1 for a pod that was revoked or could not run. Ctrl-C
    kills the pods and waits for their end, a second one ends at once: the master then kills what is left. What ends is
    not started again by this command, but by the pod's restartPolicy.

    The claims of FILE are persistent volumes of the role. One that an agent has is used there, each other one is made.
    They stay when the pods have ended.
    """
    from executor.cli.launch.progress import Progress
    from executor.cli.launch.run_loop import FAILOVER_S, Run
    from executor.cli.launch.run_shown import Shown
    from executor.mesos.scheduler import Framework

    info_file: Path | None = options["info_file"]
    tasks, left = tasks_of(session, file, role=role, revocable=revocable)
    if not tasks:
        raise InvalidTask("asks for no pod", subject=str(file), hint="set replicas, or parallelism")
    if left:
        output.note(f"not launched: {', '.join(left)}")
    kind = "revocable" if revocable else "regular"
    path, config = options["path"], options["config"]
    info = _info(info_file) if info_file else executor_info(kind, NAME, f"{NAME}-{kind}", path, _SIZES, config)
    capabilities = [*CAPABILITIES, *(["REVOCABLE_RESOURCES"] if revocable else [])]
    framework: Json = {
        "user": "root",
        "name": f"{NAME} run {file.name}",
        "roles": [role],
        "checkpoint": True,
        "failover_timeout": FAILOVER_S,
        "capabilities": [{"type": each} for each in capabilities],
    }
    authorization = ""
    if principal := options["principal"]:
        framework["principal"] = principal
        authorization = _authorization(principal, options["secret_file"])
    progress = Progress({task["task_id"]["value"]: task for task in tasks}, info, principal=options["principal"])
    if progress.volumes and role == "*":
        volumes = ", ".join(sorted(progress.volumes))
        raise InvalidTask(
            f"needs the persistent volumes {volumes}, and Mesos makes none for the role *",
            subject=str(file),
            hint="name a role with --role; run makes the volumes that no agent has",
        )
    shown = Shown(written(raw=False), as_json=as_json, named=len(tasks) > 1)
    return Run(Framework(options["master"], framework, authorization), progress, shown, authorization).run()


def _info(file: Path) -> Json:
    try:
        found = json.loads(read(file))
        if not isinstance(found, dict) or not found["executor_id"]["value"] or not isinstance(found["resources"], list):
            raise ValueError("it has no executor_id, or no resources")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidTask("is not an ExecutorInfo", subject=str(file), hint="as executor-info prints one") from error
    return found


def _authorization(principal: str, secret_file: Path | None) -> str:
    from executor.mesos import operator

    if secret_file is None:
        raise click.UsageError("--principal needs --secret-file")
    secret = read(secret_file).decode(errors="replace").strip()
    return operator.basic(principal, secret)
