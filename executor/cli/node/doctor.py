"""`doctor`: the preflight of this node."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from executor import log
from executor.cli.executors.look import Executor, State, about_dead
from executor.cli.exits import Exit
from executor.cli.pods import trouble
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.config import Config, LogSection
from executor.errors import ExecutorError, Failure

if TYPE_CHECKING:
    from executor.doctor.finding import Finding, Verdict


_HUNG: Final = "look at its process: stopped (state T), waiting for a disk (D), or without CPU; see its log"
_DEAD: Final = "mesos-pod-executor gc"


@click.command("doctor")
@click.option("--agent", metavar="HOST:PORT", help="The Mesos agent (default: MESOS_AGENT_ENDPOINT, then [dns] mesos).")
@click.option("-q", "--quiet", is_flag=True, help="Print only warnings and failures.")
@json_option
@pass_session
def command(session: Session, *, agent: str | None, quiet: bool, as_json: bool) -> int:
    """Check that this node can run pods.

    Each check is pass, warn, fail or skip, with a hint. The exit code is 1 if any check fails, else 0: a warning
    names what works now and can do harm later.
    """
    from executor.doctor.examine import examine
    from executor.doctor.finding import Verdict, worst

    loaded = session.configuration()
    log.configure(LogSection(level="error"))
    findings = asyncio.run(examine(loaded, _endpoints(loaded, agent), demanded=agent is not None))
    findings += [*_executors(session), *_pods(session)]
    verdict = worst(findings)
    if as_json:
        output.json_document(_document(verdict, findings))
    else:
        shown = [each for each in findings if not quiet or each.verdict in (Verdict.WARN, Verdict.FAIL)]
        _show(verdict, shown, Counter(each.verdict for each in findings))
    return Exit.FAILURE if verdict is Verdict.FAIL else Exit.OK


def _executors(session: Session) -> list[Finding]:
    """What their control sockets say of them: one that hangs is named, and so is one that died."""
    from executor.doctor.finding import failed, passed, warned

    try:
        found = session.everyone()
    except Failure as error:
        return [failed("node.executors", str(error), error.hint)]
    findings = [
        failed("node.executors", f"executor {each.title} lives and does not answer: {each.error.message}", _HUNG)
        for each in found
        if each.error is not None
    ]
    findings += [warned("node.executors", about_dead(each), _DEAD) for each in found if each.state is State.DEAD]
    return findings or [passed("node.executors", f"{len(found)} run, and each one answers")]


def _pods(session: Session) -> list[Finding]:
    """What the executors say of their pods."""
    from executor.doctor.finding import failed, passed, warned

    pods: list[dict[str, Any]] = []
    for each in _found(session):
        try:
            pods += each.client.get("/v1/pods")["pods"] if each.state is State.ANSWERS else []
        except ExecutorError as error:
            output.note(str(error))
    found = trouble.of(pods)
    findings = []
    for kind in trouble.KINDS:
        say = failed if kind == "stuck" else warned
        own = [say(f"pods.{kind}", each.text, each.hint) for each in found if each.kind == kind]
        findings += own or [passed(f"pods.{kind}", f"none of {len(pods)} pods")]
    return findings


def _found(session: Session) -> list[Executor]:
    try:
        return session.everyone()
    except Failure:
        return []


def _endpoints(loaded: Config, agent: str | None) -> list[str]:
    if agent is not None:
        return [agent]
    named = os.environ.get("MESOS_AGENT_ENDPOINT", "")
    return [named] if named else [each for each in loaded.dns.mesos if "://" not in each]


def _document(verdict: str, findings: Sequence[Finding]) -> dict[str, object]:
    checks = [
        {"check": each.check, "verdict": each.verdict, "message": each.message, "hint": each.hint} for each in findings
    ]
    return {"verdict": verdict, "counts": dict(Counter(each.verdict for each in findings)), "checks": checks}


def _show(verdict: str, findings: Sequence[Finding], counts: Mapping[Verdict, int]) -> None:
    said: set[str] = set()
    for each in findings:
        output.paragraph(f"{each.verdict:<4}  {each.check}: {output.clean(each.message)}", indent=6)
        if each.hint and each.verdict != "pass" and each.hint not in said:
            said.add(each.hint)
            output.paragraph(f"      hint: {output.clean(each.hint)}", indent=12)
    output.line(f"this node: {verdict} ({', '.join(f'{count} {word}' for word, count in counts.items())})")
