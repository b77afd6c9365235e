"""The forms in which a command prints its document: `-o`, with the words of kubectl, and `--json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from executor.cli.printing import jsonpath, output
from executor.cli.session import print_json
from executor.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])


class Kind(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"
    JSONPATH = "jsonpath"


@dataclass(frozen=True)
class Form:
    """`template` is that of JSONPATH."""

    kind: Kind
    template: tuple[jsonpath.Node, ...] = ()

    @property
    def is_table(self) -> bool:
        """For people, in columns."""
        return self.kind in (Kind.TABLE, Kind.WIDE)


TABLE: Final = Form(Kind.TABLE)
WIDE: Final = Form(Kind.WIDE)
_WORDS: Final = "table, wide, name, json, yaml or jsonpath=TEMPLATE"


def option(command: F) -> F:
    """The option -o, for a command that has --json too."""
    return click.option(
        "-o",
        "--output",
        "--format",
        "form",
        metavar="FORM",
        callback=_read,
        shell_complete=_complete,
        help=f"How to print it: {_WORDS}.",
    )(command)


def chosen(form: Form | None, *, as_json: bool) -> Form:
    """The one that -o and --json ask for together. Raises a usage error where they contradict each other."""
    if as_json and form is not None and form.kind is not Kind.JSON:
        raise click.UsageError(f"--json is -o json, and contradicts -o {form.kind}")
    return Form(Kind.JSON) if as_json else form or TABLE


def show(form: Form, document: Any) -> None:
    """Print the document as JSON, YAML or by its template."""
    if form.kind is Kind.JSONPATH:
        output.line(output.printable(jsonpath.render(form.template, document)).removesuffix("\n"))
    elif form.kind is Kind.YAML:
        output.line(_yaml(document))
    else:
        output.json_document(document)


def _yaml(document: Any) -> str:
    import yaml

    plain = json.loads(json.dumps(document, default=str))
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=False).rstrip()


def _read(context: click.Context, _: click.Parameter, text: str | None) -> Form | None:
    if text is None:
        return None
    word, equals, template = text.partition("=")
    if word == Kind.JSON:
        print_json(context)
    if word not in set(Kind) or bool(equals) != (word == Kind.JSONPATH):
        raise click.BadParameter(f"{text!r} is none of {_WORDS}")
    if word != Kind.JSONPATH:
        return Form(Kind(word))
    try:
        return Form(Kind.JSONPATH, jsonpath.parse(template))
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from error


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    words = [f"{kind}=" if kind is Kind.JSONPATH else str(kind) for kind in Kind]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
