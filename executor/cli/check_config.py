"""`check-config`: reads the configuration as the executor would, and prints what is in force."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import click

from executor import config
from executor.cli import output
from executor.cli.session import json_option
from executor.config_values import PATH_VARIABLE, default_file
from executor.errors import NotFound


@click.command("check-config")
@click.argument("file", default="", type=click.Path(path_type=Path))
@click.option("--default", is_flag=True, help="Print the commented default file instead.")
@json_option
def command(file: Path, *, default: bool, as_json: bool) -> None:
    """Check the configuration (or FILE) with the environment's overrides, and print what is in force."""
    if default:
        output.line(default_file(config.sections()).rstrip())
        return
    loaded = _load(file) if file != Path() else config.read(os.environ)
    document = _plain(loaded)
    if as_json:
        output.json_document(document)
        return
    for section, values in document.items():
        for key, value in values.items():
            output.line(f"{section}.{key} = {_text(value)}")


def _load(file: Path) -> config.Config:
    if not file.exists():
        raise NotFound("no such file", subject=str(file), mend="without FILE, what is in force is checked")
    return config.read({**os.environ, PATH_VARIABLE: str(file)})


def _plain(loaded: config.Config) -> dict[str, dict[str, object]]:
    """As dataclasses.asdict, which cannot copy a read-only table."""
    sections = {each.name: getattr(loaded, each.name) for each in fields(loaded)}
    return {
        name: {key.name: _value(getattr(section, key.name)) for key in fields(section)}
        for name, section in sections.items()
    }


def _value(value: object) -> object:
    return {key: str(each) for key, each in value.items()} if isinstance(value, Mapping) else value


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return output.clean([f"{key}={each}" for key, each in value.items()])
    return output.clean(value)
