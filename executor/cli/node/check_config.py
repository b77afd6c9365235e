"""`check-config`: reads the configuration as the executor would, and prints what is in force and who may set it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import click

from executor import config
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.config.file import read_text
from executor.config.for_executor import Ineffective, judge
from executor.config.trust import rule
from executor.config.values import PATH_VARIABLE, decode_file, decode_variables, default_file, toml
from executor.errors import InvalidConfig, NotFound


@click.command("check-config")
@click.argument("file", default="", type=click.Path(path_type=Path))
@click.option("--default", is_flag=True, help="Print the commented default file instead.")
@click.option(
    "--as-executor", is_flag=True, help="Judge the environment's variables as those of an executor's framework."
)
@json_option
@pass_session
def command(session: Session, file: Path, *, default: bool, as_executor: bool, as_json: bool) -> None:
    """Check the configuration (or FILE) with the environment's overrides, and print what is in force, as TOML; the
    lists of a policy are in words.

    Behind each key is who may set it by a variable of an executor: no framework (the operator's), the framework, or the
    framework if that makes it stricter. All faults are reported, not the first only.
    """
    if default:
        output.line(default_file(config.sections()).rstrip())
        return
    path = _path(session, file, as_executor=as_executor)
    loaded, ineffective = _read(path, as_executor=as_executor, as_json=as_json)
    if as_json:
        without = {each.variable: _named(each) for each in ineffective}
        output.json_document(_plain(loaded) | {"set_by": _set_by()} | ({"ineffective": without} if as_executor else {}))
        return
    _show(loaded, ineffective)


def _path(session: Session, file: Path, *, as_executor: bool) -> Path:
    if file != Path() and not file.exists():
        raise NotFound("no such file", subject=str(file), hint="without FILE, what is in force is checked")
    variable = "" if as_executor else os.environ.get(PATH_VARIABLE, "")
    return file if file != Path() else Path(session.config_option or variable or config.DEFAULT_PATH)


def _read(path: Path, *, as_executor: bool, as_json: bool) -> tuple[config.Config, Sequence[Ineffective]]:
    """Raises InvalidConfig for the last fault, once the others are reported."""
    text, source = read_text(path, required=path != config.DEFAULT_PATH) or "", str(path)
    _tell(decode_file(text, source, config.sections()).faults, as_json=as_json)
    if not as_executor:
        _tell(decode_variables(os.environ, config.sections()).faults, as_json=as_json)
        return config.load(text, os.environ, source=source), ()
    judged = judge(text, os.environ, source=source)
    _tell(judged.faults, as_json=as_json)
    return judged.config, judged.ineffective


def _tell(faults: Sequence[InvalidConfig], *, as_json: bool) -> None:
    for fault in faults[:-1]:
        if as_json:
            output.json_line({"error": {"message": fault.message, "subject": fault.subject, "hint": fault.hint}})
        output.note(str(fault))
    for fault in faults[-1:]:
        raise fault


def _show(loaded: config.Config, ineffective: Iterable[Ineffective]) -> None:
    for section, values in _plain(loaded).items():
        for key, value in values.items():
            output.line(f"{section}.{key} = {toml(value)}  # {rule(section, key)}")
    for each in ineffective:
        output.note(
            f"{each.variable} takes no effect: {each.reason}; in force is {each.key} = {each.in_force} ({each.hint})"
        )


def _set_by() -> dict[str, str]:
    return {
        f"{section}.{key.name}": str(rule(section, key.name))
        for section, cls in config.sections().items()
        for key in fields(cls)
    }


def _named(each: Ineffective) -> dict[str, str]:
    return {"key": each.key, "in_force": each.in_force, "reason": each.reason, "hint": each.hint}


def _plain(loaded: config.Config) -> dict[str, dict[str, object]]:
    """As dataclasses.asdict, which cannot copy a read-only table."""
    sections = {each.name: getattr(loaded, each.name) for each in fields(loaded)}
    return {
        name: {key.name: _value(getattr(section, key.name)) for key in fields(section)}
        for name, section in sections.items()
    }


def _value(value: object) -> object:
    return {key: str(each) for key, each in value.items()} if isinstance(value, Mapping) else value
