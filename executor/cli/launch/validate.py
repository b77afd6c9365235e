"""`validate`: what the executor and the master would say to tasks, task groups, ExecutorInfos and pods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from executor.cli.exits import Exit
from executor.cli.launch import file_check
from executor.cli.launch.file_check import FileCheck, Rules
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import InvalidTask, NotFound, reason

if TYPE_CHECKING:
    from executor.spec.model import Policy


@click.command("validate")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--role", default="*", show_default=True, help="The role of a pod that is in the file without a task.")
@json_option
@pass_session
def command(session: Session, files: Sequence[Path], *, role: str, as_json: bool) -> int:
    """Check each FILE (- for stdin) as the master and the executor would, and name every fault.

    It is a TaskInfo (with its executor or without), a group as {"executor": ..., "tasks": [...]} or as the list of
    its tasks, the list that `task` prints, an ExecutorInfo, or what a task may have in its data: a pod, also with the
    config maps, secrets and claims that it names. JSON or YAML. What the file does not have is not checked: a
    pod alone has no class, role and resources, because they are those of its task. This node's configuration has the
    policy: a fault that ends in [CONTROL] is what the policy of the role does not allow. With --json one line a file.
    """
    rules = Rules(policy(session), session.configuration(), role)
    codes = [_one(file, rules, as_json=as_json, alone=len(files) == 1) for file in files]
    return max(codes)


def policy(session: Session) -> Policy:
    """What the configuration in force says of launches. Raises InvalidConfig."""
    from executor.pod import launch_policy

    return launch_policy.of(session.configuration().pods)


def _one(file: Path, rules: Rules, *, as_json: bool, alone: bool) -> int:
    try:
        found, code = file_check.of(read(file), rules), Exit.INVALID
    except NotFound as error:
        found, code = FileCheck((InvalidTask(error.message, hint=error.hint),)), Exit.NOT_FOUND
    except InvalidTask as error:
        found, code = FileCheck(error.faults), Exit.INVALID
    if as_json:
        output.json_line(_document(file, found))
    elif found.faults:
        for fault in found.faults:
            output.note(f"{file}: {fault}")
    else:
        _print(file, found, alone=alone)
    return code if found.faults else Exit.OK


def _document(file: Path, found: FileCheck) -> dict[str, Any]:
    faults = [{"path": fault.subject, "message": fault.message, "hint": fault.hint} for fault in found.faults]
    return {
        "file": str(file),
        "ok": not faults,
        "faults": faults,
        "without_effect": list(found.without_effect),
        **found.summary,
    }


def _print(file: Path, found: FileCheck, *, alone: bool) -> None:
    named = {} if alone else {"file": str(file)}
    output.fields((named | dict(found.summary) | {"without effect": ", ".join(found.without_effect) or "none"}).items())
    if not alone:
        output.line("")


def read(file: Path) -> bytes:
    """Raises NotFound, and InvalidTask for a file that cannot be read or is too large."""
    most = file_check.FILE_MAX_BYTES
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            raw = stream.read(most + 1)
    except FileNotFoundError as error:
        raise NotFound("no such file", subject=str(file), hint="name a file, or - for standard input") from error
    except OSError as error:
        raise InvalidTask(f"cannot be read: {reason(error)}", hint="name a file of text") from error
    if len(raw) > most:
        raise InvalidTask(f"is larger than {most >> 20} MiB", hint="pods are small")
    return raw
