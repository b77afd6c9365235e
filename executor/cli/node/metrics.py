"""`metrics`: the metrics of every executor on this node, as one document for Prometheus.

The labels `framework` and `executor` on every sample tell the executors apart. `--textfile` writes a file for
node_exporter's textfile collector: run the command from a timer, and nothing has to listen on a port.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from executor.cli.executors.look import State
from executor.cli.exits import Forbidden, Unreachable
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import Failure, NotFound, reason
from executor.metrics import catalog


@click.command("metrics")
@click.option(
    "--textfile", type=click.Path(path_type=Path), metavar="PATH", help="Write to PATH (*.prom), replaced in one step."
)
@json_option
@pass_session
def command(session: Session, textfile: Path | None, *, as_json: bool) -> None:
    """Print the metrics for Prometheus, or write them as a textfile."""
    documents, states = _documents(session)
    if as_json:
        output.json_document({"samples": [_sample(line) for line in merge(documents) if not line.startswith("#")]})
        return
    lines = [*merge(documents), *_availability(states), *_lending(session)]
    text = "".join(f"{line}\n" for line in lines)
    if textfile is None:
        click.echo(text, nl=False)
    else:
        _write(textfile, text)


def _documents(session: Session) -> tuple[list[str], Counter[State]]:
    """The documents of the executors that answer. Hung and dead ones are counted, and never keep the document from
    being written. Raises Forbidden where this user may not ask them.
    """
    documents, states = [], Counter[State]()
    for executor in session.look():
        state = executor.state
        try:
            if executor.error is not None:
                raise executor.error
            if state is State.ANSWERS:
                documents.append(executor.client.text("/metrics", identity="1"))
        except Forbidden:
            raise
        except Unreachable as error:
            output.note(str(error))
            state = State.SILENT
        states[state] += 1
    return documents, states


def merge(documents: Iterable[str]) -> Iterator[str]:
    """The lines of several documents as those of one: each metric once, with the samples of all documents. Pure."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for document in documents:
        family, seen = "", set[str]()
        for line in filter(None, document.splitlines()):
            if not line.startswith("#"):
                samples[family].append(line)
                continue
            family = line.split(" ")[2]
            if family not in heads or family in seen:
                heads.setdefault(family, []).append(line)
                samples.setdefault(family, [])
                seen.add(family)
    for family, head in heads.items():
        yield from head
        yield from samples[family]


def _availability(states: Counter[State]) -> Iterator[str]:
    for metric, state in ((catalog.UP, State.ANSWERS), (catalog.SILENT, State.SILENT), (catalog.DEAD, State.DEAD)):
        yield from _family(metric, states[state])


def _lending(session: Session) -> Iterator[str]:
    """The metrics of this node's lender, if it ever had one. A document that cannot be used is named, and keeps nothing
    else from being written.
    """
    from executor.cli.lending import shown

    try:
        found = shown.now(session)
    except NotFound:
        if shown.directory(session).exists():
            yield from _family(catalog.LENDER_UP, 0)
        return
    except Failure as error:
        output.note(str(error))
        yield from _family(catalog.LENDER_UP, 0)
        return
    totals = found["totals"]
    values: dict[catalog.Metric, float] = {
        catalog.LENDER_UP: int(found["subscribed"] and found["master"]),
        catalog.LENDING_OFFER_CPUS: found["offer"]["cpus"],
        catalog.LENDING_OFFER_MEMORY: found["offer"]["mem_bytes"],
        catalog.LENDING_CPUS: found["borrowed"]["cpus"],
        catalog.LENDING_MEMORY: found["borrowed"]["mem_bytes"],
        catalog.LENDING_LOANS: len(found["loans"]),
        catalog.LENDING_RETURNED: sum(each["loans"] for each in totals),
        catalog.LENDING_ASKED: sum(each["asked"] for each in totals),
        catalog.LENDING_CPU: sum(each["cpu_s"] for each in totals),
    }
    for metric, value in values.items():
        yield from _family(metric, value)


def _family(metric: catalog.Metric, value: float) -> Iterator[str]:
    """The lines of a metric without labels."""
    yield f"# HELP {metric.full_name} {metric.help}"
    yield f"# TYPE {metric.full_name} {metric.kind}"
    yield f"{metric.full_name} {value}"


def _sample(line: str) -> dict[str, object]:
    """One sample of the text format, as the executor writes it."""
    name, _, value = line.rpartition(" ")
    return {"sample": name, "value": float(value)}


def _write(path: Path, text: str) -> None:
    """In one step: the collector must never read half of it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(text)
        new.chmod(0o644)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Failure(f"cannot be written: {reason(error)}", subject=str(path)) from error
