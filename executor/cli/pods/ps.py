"""`ps`: the pods of every executor on this node, one line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import click

from executor.cli.executors.client import Client
from executor.cli.exits import Unreachable
from executor.cli.history import former
from executor.cli.pods import filters, status
from executor.cli.pods.filters import Condition
from executor.cli.printing import forms, output, units
from executor.cli.printing.forms import Form, Kind
from executor.cli.session import Session, json_option, pass_session

Document = dict[str, Any]

_COLUMNS: Final[Mapping[str, Callable[[Document], object]]] = MappingProxyType(
    {
        "pod": lambda pod: pod["pod"],
        "name": status.name,
        "class": lambda pod: pod.get("class"),
        "role": lambda pod: pod.get("role"),
        "state": status.text,
        "ready": lambda pod: f"{status.ready(pod)}/{len(status.main_containers(pod))}",
        "restarts": status.restarts,
        "age": lambda pod: units.age(pod.get("age_s")),
        "task": lambda pod: pod.get("tasks"),
        "reason": lambda pod: units.shortened(status.reason(pod), _REASON_LETTERS),
        "ips": lambda pod: pod.get("ips"),
        "executor": lambda pod: units.identity(str(pod.get("executor", ""))),
    }
)
_WIDE: Final[Mapping[str, Callable[[Document], object]]] = MappingProxyType(
    {
        **_COLUMNS,
        "reason": status.details,
        "executor": lambda pod: pod.get("executor"),
        "images": lambda pod: sorted({each.get("image") for each in pod.get("containers", ())} - {None}),
        "labels": lambda pod: [f"{key}={value}" for key, value in pod.get("labels", {}).items()],
        "started": lambda pod: pod.get("started_at"),
    }
)
_NARROW: Final[Mapping[str, Callable[[Document], object]]] = MappingProxyType(
    {**_COLUMNS, "name": status.short_name, "reason": lambda pod: status.short_reason(status.reason(pod))}
)
_NARROW_WIDTH: Final = 80
_REASON_LETTERS: Final = 60
_SPARE: Final = ("executor", "ips", "role", "ready", "restarts", "task", "age", "class", "reason")
_SORTS: Final[Mapping[str, Callable[[Document], Any]]] = MappingProxyType(
    {
        "class": lambda pod: (pod.get("class", ""), pod.get("role", ""), pod.get("started_at") or ""),
        "age": lambda pod: pod.get("age_s") or 0.0,
        "name": status.name,
        "namespace": status.name,
        "role": lambda pod: (pod.get("role", ""), status.name(pod)),
        "status": lambda pod: (status.word(pod), status.name(pod)),
        "restarts": lambda pod: -status.restarts(pod),
        "task": lambda pod: pod.get("tasks", []),
    }
)
_POLL_S: Final = 1.0
_REASON_LEAST: Final = 16
"""Letters of a reason that a watch shows on any terminal."""
_LONG_STATE: Final = "ended 59m ago"
"""The room that a watch keeps for states that come later."""


@dataclass(frozen=True)
class _Wanted:
    """`note`: that no executor runs is said on stderr."""

    conditions: Sequence[Condition]
    ended: bool
    sort: str
    note: bool

    def pods(self, session: Session, *, again: bool = False) -> list[Document]:
        """In their order. `again`: that no executor answers is not an error."""
        clients = session.answering() if again else session.all()
        known = _all(clients, {"all": 1} if self.ended else {})
        if self.ended and not again:
            known += former.pods(session)
        found = [pod for pod in known if filters.fits(self.conditions, pod)]
        if self.note and not clients and not again:
            hint = "" if self.ended else " (`ps --all` shows pods that ended)"
            output.note(f"{session.run_dir}: no executor runs on this node{hint}")
        return sorted(found, key=lambda pod: (_SORTS[self.sort](pod), pod["pod"]))


@click.command("ps")
@click.option("-a", "-A", "--all", "everything", is_flag=True, help="Also ended pods, and those of dead executors.")
@filters.options
@click.option("-q", "--quiet", is_flag=True, help="Print ids only.")
@click.option("-w", "--watch", is_flag=True, help="Go on, with a line for each pod that comes, changes or ends.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="class", show_default=True, help="Order of the pods.")
@click.option("--no-headers", is_flag=True, help="Leave the line of column names out.")
@click.option("--no-trunc", is_flag=True, help="Cut nothing, and print all columns: -o wide, where that is a table.")
@forms.option
@json_option
@pass_session
def command(
    session: Session,
    /,
    *,
    everything: bool,
    quiet: bool,
    watch: bool,
    sort: str,
    no_headers: bool,
    form: Form | None,
    as_json: bool,
    **options: Any,
) -> None:
    """List the pods of this node. Where no executor runs there are none, which is not an error.

    A jsonpath is about the document of --json, as in {.pods[*].name}. The ids of -q and the names of -o name can be
    arguments of the other commands. A terminal of 80 columns or fewer shows names without the namespace default, and
    reasons without TASK_ and CONTAINER_. With -w and a form such as json, each change is a document of its own, one a
    line.
    """
    if quiet and (form or as_json):
        raise click.UsageError("-q prints ids, and contradicts -o and --json")
    form = forms.chosen(form, as_json=as_json)
    form = forms.WIDE if options.pop("no_trunc") and form.is_table else form
    wanted = _Wanted(filters.chosen(options), everything, sort, note=form.is_table and not quiet)
    shown = _Shown(form, quiet=quiet, headers=not no_headers)
    if watch:
        _watch(session, wanted, shown)
    else:
        shown.all(wanted.pods(session))


def _all(clients: Sequence[Client], query: dict[str, int]) -> list[Document]:
    """An executor that does not answer is named and left out, unless it is the only one."""
    pods: list[Document] = []
    silent = 0
    for client in clients:
        try:
            pods += client.get("/v1/pods", **query)["pods"]
        except Unreachable as error:
            silent += 1
            if silent == len(clients):
                raise
            output.note(str(error))
    return pods


class _Shown:
    """How pods are printed: all at once, then one by one."""

    def __init__(self, form: Form, *, quiet: bool, headers: bool) -> None:
        self._form = form
        self._quiet = quiet
        self._headers = headers
        self._columns = _WIDE if form.kind is Kind.WIDE else _COLUMNS
        self._widths: list[int] = []
        self._kept = list(range(len(self._columns)))
        self._width = 0

    def all(self, pods: Sequence[Document]) -> None:
        """Those that are there."""
        if self._quiet:
            for pod in pods:
                output.line(pod["pod"])
        elif self._form.kind is Kind.NAME:
            for pod in pods:
                output.line(output.clean(status.name(pod)))
        elif self._form.is_table:
            self._shorten()
            fitted: dict[str, Any] = {"spare": _SPARE, "cut": "reason", "middle": "name"}
            fitted = {} if self._form.kind is Kind.WIDE else fitted
            output.table(list(self._columns), map(self.row, pods), headers=self._headers, **fitted)
        else:
            forms.show(self._form, {"pods": pods})

    def _shorten(self) -> None:
        """A narrow terminal shows what tells pods apart: no namespace that most have, no word that all reasons have."""
        if self._headers and self._columns is _COLUMNS and 0 < output.terminal_width() <= _NARROW_WIDTH:
            self._columns = _NARROW

    def row(self, pod: Document) -> list[object]:
        """Its cells."""
        return [cell(pod) for cell in self._columns.values()]

    def lasting(self, pod: Document) -> list[str]:
        """What makes a new line worth while: all but what time alone changes."""
        cells = {name: output.clean(cell(pod)) for name, cell in self._columns.items() if name != "age"}
        return [*cells.values(), status.word(pod)] if status.word(pod) != "ended" else ["ended"]

    def begin(self, pods: Sequence[Document]) -> None:
        """The first lines of a watch; the widths of the columns are kept. A narrow terminal gets fewer columns, and the
        reason as long as there is room for.
        """
        if self._is_lines:
            self._shorten()
        rows = output.cleaned(map(self.row, pods))
        left_out = ""
        if self._is_lines and self._headers and self._form.kind is not Kind.WIDE:
            rows.append([_LONG_STATE if name == "state" else "" for name in self._columns])
            self._kept, self._width = output.fitting(list(self._columns), rows, _SPARE, "reason")
            left_out = ", ".join(name for place, name in enumerate(self._columns) if place not in self._kept)
        rows = [list(self._columns), *rows]
        self._widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if self._width:
            self._widths[list(self._columns).index("reason")] = _REASON_LEAST
        if self._is_lines and self._headers:
            self._line([column.upper() for column in self._columns])
        for pod in pods:
            self.one(pod)
        if left_out:
            output.line(f"no room for: {left_out}")

    def one(self, pod: Document) -> None:
        """A line, or a document."""
        if self._is_lines:
            (cells,) = output.cleaned([self.row(pod)])
            self._line(cells)
        elif self._form.kind is Kind.JSON:
            output.json_line(pod)
        elif self._form.is_table or self._form.kind is Kind.NAME:
            self.all([pod])
        else:
            forms.show(self._form, pod)

    @property
    def _is_lines(self) -> bool:
        return self._form.is_table and not self._quiet

    def _line(self, cells: Sequence[str]) -> None:
        text = self._joined(cells)
        if self._width and (over := len(text) - self._width) > 0:
            place = list(self._columns).index("reason")
            reason = units.shortened(cells[place], max(_REASON_LEAST, len(cells[place]) - over))
            text = self._joined([*cells[:place], reason, *cells[place + 1 :]])
        output.line(text)

    def _joined(self, cells: Sequence[str]) -> str:
        return "  ".join(cells[place].ljust(self._widths[place]) for place in self._kept).rstrip()


def _watch(session: Session, wanted: _Wanted, shown: _Shown) -> None:
    first = wanted.pods(session)
    shown.begin(first)
    seen = {pod["pod"]: shown.lasting(pod) for pod in first}
    for pod in _changes(session, wanted, shown, seen):
        shown.one(pod)


def _changes(session: Session, wanted: _Wanted, shown: _Shown, seen: dict[str, list[str]]) -> Iterator[Document]:
    """Every pod that is not as it was `seen`, without an end. One that ends comes once, by its record."""
    with_ended = replace(wanted, ended=True)
    while True:
        time.sleep(_POLL_S)
        for pod in with_ended.pods(session, again=True):
            is_new_to_us = pod["pod"] not in seen
            now = shown.lasting(pod)
            if seen.get(pod["pod"]) == now or (is_new_to_us and pod.get("ended_age_s", 0.0) > _POLL_S * 2):
                continue
            seen[pod["pod"]] = now
            yield pod
