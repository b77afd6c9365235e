"""`version`."""

from __future__ import annotations

import platform

import click

from executor import __version__
from executor.cli.printing import output
from executor.cli.session import json_option


@click.command("version")
@json_option
def command(*, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        output.json_document({"version": __version__, "python": platform.python_version()})
    else:
        output.line(f"mesos-pod-executor {__version__}")
