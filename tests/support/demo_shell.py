"""`packaging/demo --shell`: a prompt on the private node, with `mesos-pod-executor` on its PATH and pods to look at.

The node's page is reachable from the machine outside: packaging/demo opened a port there before the node was made, and
what connects to it is led to `serve` in here.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.demo_desk import COMMANDS, Desk
from tests.support.incidents import INCIDENTS
from tests.support.node import LISTENER

if TYPE_CHECKING:
    from tests.support.incidents import Stage
    from tests.support.mesos.sharing import SharingScheduler
    from tests.support.rig import Rig

PROGRAM = "mesos-pod-executor"
PROMPT = r"demo:\w\$ "
HINT = """`mesos-pod-executor --help` names what there is to look at; TAB completes commands, pods and tasks
          incident [NAME]   stages an incident of the runbook
          launch FILE       launches a pod or a workload beside the others; --revocable on revocable cpus
          $MASTER           the Mesos master, for a framework of your own; the offers are free. A pod of a role:
                            mesos-pod-executor run FILE --master $MASTER --role ROLE
                            (infra is privileged, guests restricted, every other role baseline)
          $IMAGE            the image of this node, for your pods; no registry is reachable
          `exit` ends the node with all that is in it"""


def run(rig: Rig, scheduler: SharingScheduler, stage: Stage) -> int:
    """Until its user leaves it; its exit status. Commands that are piped in are carried out one after the other."""
    from tests.support.rig import IMAGE

    directory = rig.directory / "bin"
    directory.mkdir()
    _program(directory, PROGRAM, _with_environment(rig))
    _run(directory, rig)
    desk = rig.directory / "desk"
    for name in COMMANDS:
        _program(directory, name, (sys.executable, "-m", "tests.support.demo_desk", str(desk), name))
    environment = os.environ | rig.environment()
    environment |= {
        "MASTER": rig.cluster.endpoint,
        "IMAGE": IMAGE,
        "MESOS_AGENT_ENDPOINT": rig.agent.endpoint,
        "PATH": f"{directory}:{environment['PATH']}",
    }
    line = ["bash", *(["--rcfile", str(_start(directory)), "-i"] if sys.stdin.isatty() else ["--norc"])]
    with Desk(desk, scheduler, stage):
        return subprocess.run(line, env=environment, check=False).returncode


def _program(directory: Path, name: str, words: Sequence[str]) -> None:
    """As an installed package has it, for a program that is several words here."""
    path = directory / name
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def _with_environment(rig: Rig) -> Sequence[str]:
    """The agent starts the program as well, without this shell's variables."""
    return "env", *(f"{name}={value}" for name, value in rig.program_environment.items()), *rig.program


def _run(directory: Path, rig: Rig) -> None:
    """`run` and `executor-info` name the program and the configuration of this node, which is installed nowhere."""
    path = directory / PROGRAM
    options = shlex.join(["--command", str(path), *rig.options({})])
    own = f'case $1 in run | executor-info) first=$1; shift; set -- "$first" {options} "$@" ;; esac'
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join((first, own, *rest)) + "\n")


def _start(directory: Path) -> Path:
    """What the prompt reads after the system's own file: the prompt, and completion."""
    path = directory / "start.bash"
    lines = (
        f"PS1={shlex.quote(PROMPT)}",
        'eval "$(mesos-pod-executor completion bash)"',
        f'complete -W "{" ".join(["end", *INCIDENTS])}" incident',
        "complete -f launch",
    )
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def page(rig: Rig) -> Iterator[str]:
    """`serve`, as the machine outside reaches it; its address, empty if packaging/demo opened no port."""
    if not (inherited := os.environ.get(LISTENER)):
        yield ""
        return
    with socket.socket(fileno=int(inherited)) as outside:
        port = outside.getsockname()[1]
        line = [*rig.program, "serve", "--port", str(port)]
        environment = os.environ | rig.environment()
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it listens
            threading.Thread(target=_lead, args=(outside, port), daemon=True).start()
            yield f"http://127.0.0.1:{port}/"
            process.terminate()


def _lead(outside: socket.socket, port: int) -> None:
    """Each connection from outside to the same port in here, until the socket is closed."""
    with suppress(OSError):
        while True:
            client, _ = outside.accept()
            threading.Thread(target=_join, args=(client, port), daemon=True).start()


def _join(client: socket.socket, port: int) -> None:
    with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until the end of the stream, which is passed on."""
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
