"""Plain words: every public function says what it is for, and no text has the words that cost a reader dearly.

A room (a package) that is finished has none left of both. Elsewhere what is left is counted, and the number may only
fall. A name that needs no docstring is rare: a unit, an error or a source is worth a line.
"""

from __future__ import annotations

import re

from tests.support.sources import ROOT, Source, modules

FINISHED = (
    "cgroups",
    "executor.__main__",
    "executor.beneath",
    "executor.bounded_json",
    "executor.bounded_toml",
    "executor.cli",
    "executor.cni",
    "executor.concurrency",
    "executor.config",
    "executor.containerd",
    "executor.control",
    "executor.disk",
    "executor.dispatch",
    "executor.dns",
    "executor.doctor",
    "executor.duration",
    "executor.errors",
    "executor.exec",
    "executor.exhausted",
    "executor.fetching",
    "executor.helper_process",
    "executor.host_namespace",
    "executor.hostnames",
    "executor.images",
    "executor.lending",
    "executor.log",
    "executor.mesos",
    "executor.metrics",
    "executor.names",
    "executor.netlink",
    "executor.node",
    "executor.oci",
    "executor.output",
    "executor.own_directory",
    "executor.pod",
    "executor.policy",
    "executor.probes",
    "executor.process",
    "executor.quantity",
    "executor.reporting",
    "executor.revocation",
    "executor.spec",
    "executor.traces",
    "executor.volumes",
)  # fmt: skip
UNDOCUMENTED_MAX = 0
"""Public functions without a docstring in the rooms that are not finished. Lower it with what you write."""

# A word that hides the subject, or that is not of this field, and what to write.
RIDDLES = {
    "affair": "name whose task it is, and what it does",
    "amid": "during, while",
    "anyone": "every user, any process",
    "at hand": "available, present",
    "as it likes": "without a limit",
    "bring about": "cause",
    "cannot be had": "is not available, cannot be made, read or opened",
    "everybody": "all others, the event loop",
    "fared": "its state",
    "fares": "its state",
    "for want of": "because there is no",
    "have a say": "decide",
    "heard of": "received, known",
    "hears of": "receives, gets",
    "hear of": "receive, get",
    "hence": "so",
    "made good": "sent again, repeated",
    "says all": "is the information",
    "take note": "see, wait for, record",
    "taken note": "seen, waited for, recorded",
    "takes note": "sees, waits for, records",
    "upon": "on, after",
    "all the same": "leave it out, or say what happens",
    "anew": "again",
    "whoever": "name it",
    "whomever": "name it",
    "somebody": "name it, or use the passive",
    "anybody": "every user",
    "nobody": "name what does not do it, or use the passive",
    "whatever": "every, any, all that",
    "for ever": "until it is cancelled, without end",
    "in vain": "without effect",
    "blow over": "wait for the result",
    "doomed": "the victim's, the own",
    "farewell": "last update",
    "mend": "hint, correct",
    "mends": "hint, corrects",
    "mended": "corrected",
    "riddle": "unexplained",
    "struck": "killed, revoked",
    "stray": "lost",
    "strays": "lost processes",
    "suicide": "of this process",
    "heir": "the next owner",
    "heirs": "the next owners",
    "of now": "present, current",
    "on loan": "revocable",
    "lent": "revocable",
    "told": "reported, logged, received",
    "tell of": "report, show",
    "tells of": "reports, shows",
    "told apart": "distinguished",
}
_RIDDLE = re.compile(rf"\b({'|'.join(RIDDLES)})\b", re.IGNORECASE)
_HEADLESS = re.compile(r'\s*(?:""")?(?:.*[.:;] )?(?:Of|Whose|Whom) [a-z`]')
DOCUMENTS = (
    ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md")),
    *sorted((ROOT / "packaging/doc").glob("*.md")), *sorted((ROOT / "packaging/doc/schema").glob("*.json")),
    *sorted((ROOT / "packaging/man").iterdir()),
)  # fmt: skip

SOURCES = modules("executor", "cgroups")


def is_finished(source: Source) -> bool:
    return any(source.name == room or source.name.startswith(f"{room}.") for room in FINISHED)


def riddles(text: str) -> list[str]:
    return [
        f"{number}: {word}: write {RIDDLES[word.lower()]}"
        for number, line in enumerate(text.splitlines(), 1)
        for word in _RIDDLE.findall(line)
    ]


def headless(source: Source) -> list[str]:
    """Sentences that begin with `Of` or `Whose`: the reader has to look for their noun."""
    lines = enumerate(source.text.splitlines(), 1)
    return [f"{source.path}:{number}: begin with the noun" for number, line in lines if _HEADLESS.match(line)]


def undocumented(source: Source) -> list[str]:
    return [f"{source.path}:{each.line} {each.name}" for each in source.facts.undocumented]


def test_every_room_that_is_finished_is_there() -> None:
    names = {".".join(name.split(".")[:2]) if name.startswith("executor.") else name.split(".")[0] for name in SOURCES}
    assert set(FINISHED) <= names


def test_public_functions_of_finished_rooms_have_docstrings() -> None:
    own = [source for source in SOURCES.values() if is_finished(source)]
    assert [each for source in own for each in undocumented(source)] == []


def test_the_number_of_undocumented_functions_falls() -> None:
    found = [each for source in SOURCES.values() if not is_finished(source) for each in undocumented(source)]
    assert len(found) <= UNDOCUMENTED_MAX, "\n".join(found)


def test_finished_rooms_have_plain_words() -> None:
    own = [source for source in SOURCES.values() if is_finished(source)]
    assert [f"{source.path}:{each}" for source in own for each in riddles(source.text)] == []
    assert [each for source in own for each in headless(source)] == []


def test_documents_have_plain_words() -> None:
    assert [f"{path}:{each}" for path in DOCUMENTS for each in riddles(path.read_text())] == []


def test_a_riddle_is_found() -> None:
    text = '    """Of its task.\n    It is. Of none it is.\n    Of all.\n    One of all."""'
    assert headless(Source("a.py", "a", text)) == [f"a.py:{number}: begin with the noun" for number in (1, 2, 3)]
    found = riddles("x\nWhoever asks, nobody's answer")
    assert found == ["2: Whoever: write name it", f"2: nobody: write {RIDDLES['nobody']}"]
