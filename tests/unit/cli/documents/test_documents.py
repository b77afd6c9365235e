"""Commands read nothing of an answer that its document need not have, and an answer that lacks something ends each of
them in one line that names the executor.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from executor.cli.documents.executor import Event
from executor.cli.documents.executor import Executor as About
from executor.cli.documents.fault import fault
from executor.cli.documents.lending import Lending
from executor.cli.executors import answers
from executor.cli.exits import Exit
from executor.cli.node.serve import _Pages
from executor.cli.page import lending as page
from executor.cli.page.past import Past
from executor.cli.session import Session
from executor.control.server import Handler, Request, Response, Routes, Stream
from executor.lending import files, status
from tests.support.control_node import Node
from tests.support.schema import load
from tests.unit.cli.conftest import Run
from tests.unit.cli.documents.samples import from_schema, sample

LINES: Sequence[Sequence[str]] = [
    ["ps"], ["ps", "-a", "-o", "wide"], ["ps", "--sort", "restarts"], ["ps", "-q"],
    ["top", "--once", "--interval", "0.1"],
    ["stats"], ["inspect", "p"], ["inspect", "--check", "p"], ["describe", "p"], ["logs", "p"],
    ["kill", "p"], ["kill", "-9", "p"], ["rm", "p"], ["rm", "--all"], ["exec", "p", "true"], ["revoke", "--all"],
    ["revoke", "--all", "--no-wait"], ["rehearse"], ["rehearse", "--exercise"], ["report"], ["report", "r"],
    ["events"], ["events", "--follow"], ["why", "t"], ["log-level"], ["log-level", "debug"],
]  # fmt: skip
LEFT_OUT = ("top --once --interval 0.1", "stats", "rm --all", "/", "describe p")
"""They name the executor, and show the rest."""
PAGES = ["/", "/pods/p", "/revocations/r"]
Change = Callable[[str, Any], Any]


def routes(change: Change, *, full: bool) -> Routes:
    """Every answer and every stream, as `change` makes it of a sample; a stream is one line."""

    async def lines(request: str, *documents: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        for each in documents:
            yield change(request, each)

    def handler(request: str, shape: Any) -> Handler:
        async def handle(asked: Request) -> Response | Stream:
            if asked.query.get("follow") == "1":
                return Stream(lines(request, sample(answers.LINES[request], full=full)))
            return Response(change(request, sample(About if request == "GET /v1/executor" else shape, full=full)))

        return handle

    async def session(_: Request) -> Stream:
        return Stream(lines("POST /v1/pods/{}/exec", {"id": "x"}, {"pid": 1}, {"exit_code": 0}))

    found: dict[tuple[str, str], Handler] = {("POST", "/v1/pods/{id}/exec"): session}
    for request, shape in answers.ANSWERS.items():
        method, path = request.split(" ")
        found[method, path.replace("{}", "{id}")] = handler(request, shape)
    return found


def as_it_is(request: str, document: Any) -> Any:
    """A pod that has ended, or a command waits for its end."""
    return {**document, "state": "ended"} if request == "GET /v1/pods/{}" else document


@pytest.fixture
def serve(node: Node) -> Callable[..., None]:
    def serve(change: Change = as_it_is, *, full: bool) -> None:
        node.serve("c", routes(change, full=full))

    return serve


def run_all(run: Run, tmp_path: Path) -> Iterator[tuple[str, int, str]]:
    """What each command and each page makes of it: its code and what it says."""
    for line in LINES:
        ran = run(*line)
        yield " ".join(line), ran.code, ran.err
    for path in PAGES:
        pages = _Pages(Session("", str(tmp_path / "run")))
        found = asyncio.run(pages.answer(Request("GET", path, {}, None, None)))  # type: ignore[arg-type]
        yield path, 0 if found.status == 200 else found.status, str(found.body)


@pytest.mark.parametrize("full", [False, True])
def test_what_may_be_missing_is_missed_by_no_command(
    serve: Callable[..., None], run: Run, tmp_path: Path, full: bool
) -> None:
    serve(full=full)
    for line, code, said in run_all(run, tmp_path):
        assert "cannot be used" not in said, (line, said)
        assert code == Exit.OK or line in ("logs p", "report"), (line, said)  # there are no such files and events


MUTATIONS: dict[str, Change] = {
    "empty": lambda request, document: {},
    "null": lambda request, document: dict.fromkeys(document),
    "one that is null": lambda request, document: {key: [None] for key in document},
}


@pytest.mark.parametrize("change", MUTATIONS.values(), ids=MUTATIONS)
@pytest.mark.parametrize("itself", [True, False], ids=["also-who-it-is", "only-the-rest"])
def test_an_answer_that_lacks_something_is_one_line(
    serve: Callable[..., None], run: Run, tmp_path: Path, change: Change, itself: bool
) -> None:
    def changed(request: str, document: Any) -> Any:
        return document if request == "GET /v1/executor" and not itself else change(request, document)

    serve(changed, full=True)
    for line, code, said in run_all(run, tmp_path):
        assert "executor c: its answer to " in said and "cannot be used: " in said, (line, said)
        assert code != Exit.OK or line in LEFT_OUT, line
        assert "Traceback" not in said


def test_a_line_of_a_session_that_lacks_something_ends_it(serve: Callable[..., None], run: Run) -> None:
    serve(lambda request, document: {} if request.endswith("/exec") else document, full=True)
    ran = run("exec", "p", "true")
    assert ran.code == Exit.UNREACHABLE and "executor c: its line of the session has no id" in ran.err


SCHEMAS = {
    "ps": "GET /v1/pods",
    "inspect": "GET /v1/pods/{}",
    "receipt": "GET /v1/revocations/{}",
    "rehearse": "POST /v1/rehearsals",
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", [*SCHEMAS, "event", "lending"])
def test_no_more_is_needed_than_the_schemas_promise(name: str, full: bool) -> None:
    shape = answers.ANSWERS[SCHEMAS[name]] if name in SCHEMAS else {"event": Event, "lending": Lending}[name]
    assert fault(shape, from_schema(load(f"{name}.json"), load, full=full)) == ""


@pytest.fixture
def lender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Writes the document of a lender that runs."""
    monkeypatch.setenv("MESOS_POD_EXECUTOR_NODE_STATE_DIR", str(tmp_path))
    (tmp_path / "run").mkdir()

    def write(document: Any) -> None:
        (tmp_path / "run" / status.FILE).write_text(json.dumps(document))

    with files.alone(tmp_path / "lending"):
        yield write


@pytest.mark.parametrize("full", [False, True])
def test_the_lenders_document_is_shown(lender: Callable[[Any], None], run: Run, tmp_path: Path, full: bool) -> None:
    document = sample(Lending, full=full)
    lender(document)
    for line in (["lending"], ["lending", "--json"], ["metrics"]):
        assert run(*line).code == Exit.OK, line
    assert "cpus borrowed" in page.lending(document, (), 0.0)
    past = Past()
    past.add(0.0, {"classes": []}, document)
    assert len(past.lending) == 1


@pytest.mark.parametrize("document", [{}, [], None, dict.fromkeys(sample(Lending, full=True))], ids=str)
def test_a_lenders_document_of_another_shape_is_one_line(
    lender: Callable[[Any], None], run: Run, tmp_path: Path, document: Any
) -> None:
    lender(document)
    for line in (["lending"], ["lending", "now", "--json"], ["metrics"]):
        ran = run(*line)
        assert f"{tmp_path}/run/lending.json: cannot be used: " in ran.err
        assert ran.code == (Exit.OK if line == ["metrics"] else Exit.FAILURE)
    assert "mesos_pod_executor_lender_up 0\n" in ran.out
