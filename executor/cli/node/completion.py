"""`completion`: the script that makes a shell complete this program's commands, options, pods and tasks."""

from __future__ import annotations

import click

from executor.cli import shells
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session


@click.command("completion")
@click.argument("shell", type=click.Choice(list(shells.SHELLS)))
@json_option
@pass_session
def command(_: Session, /, shell: str, *, as_json: bool) -> None:
    """Print the script that makes SHELL complete commands, options, pods and tasks. Packages install it.

    bash: eval "$(mesos-pod-executor completion bash)". zsh: the same, after compinit. fish: mesos-pod-executor
    completion fish | source.

    A name that a shell would expand or run is never offered: names are the choice of frameworks.
    """
    text = shells.script(click.get_current_context().find_root().command, shell)
    if as_json:
        output.json_document({"shell": shell, "script": text})
    else:
        click.echo(text, nl=False)
