"""Which pods a command means: `--filter KEY=VALUE` as docker and podman have it, `-l` and `-n` as kubectl.

Values of one key are alternatives, different keys must all fit. `KEY!=VALUE` excludes. A value may have `*`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from executor.cli import complete
from executor.cli.pods import status
from executor.errors import InvalidInput

Document = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


def _role(pod: Document) -> list[str]:
    """With every role above it."""
    parts = str(pod.get("role", "")).split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _outcome(pod: Document) -> list[str]:
    outcome = pod.get("outcome") or {}
    return [str(each) for each in (outcome.get("state"), outcome.get("reason")) if each]


_VALUES: Final[Mapping[str, Callable[[Document], list[str]]]] = MappingProxyType(
    {
        "id": lambda pod: [pod["pod"]],
        "name": lambda pod: [str(pod.get("name")), status.name(pod)],
        "namespace": lambda pod: [str(pod.get("namespace"))],
        "task": lambda pod: list(pod.get("tasks", ())),
        "class": lambda pod: [str(pod.get("class"))],
        "role": _role,
        "status": lambda pod: [status.word(pod), str(pod.get("state"))],
        "reason": _outcome,
        "executor": lambda pod: [str(pod.get("executor"))],
        "image": lambda pod: [str(each.get("image")) for each in pod.get("containers", ())],
        "ip": lambda pod: [str(each).partition("/")[0] for each in pod.get("ips", ())],
        "label": lambda pod: [text for key, value in pod.get("labels", {}).items() for text in (key, f"{key}={value}")],
    }
)
KEYS: Final = tuple(_VALUES)
"""What can stand before the sign."""
_LABEL_KEY: Final = re.compile(r"!?[-\w./*]+|[-\w./*]+!")
_OTHER_WORDS: Final = MappingProxyType({"state": "status", "tasks": "task", "labels": "label", "ns": "namespace"})


@dataclass(frozen=True)
class Condition:
    key: str
    pattern: str
    excludes: bool = False

    def fits(self, pod: Document) -> bool:
        """Whether the pod has such a value, or has none of them where this excludes."""
        found = any(fnmatch.fnmatchcase(value, self.pattern) for value in _VALUES[self.key](pod))
        return found != self.excludes


def condition(text: str) -> Condition:
    """Raises InvalidInput."""
    key, equals, pattern = text.partition("=")
    excludes = key.endswith("!")
    key = _OTHER_WORDS.get(key.rstrip("!"), key.rstrip("!"))
    if key not in _VALUES or not equals:
        raise InvalidInput(f"{text!r} is not a filter", hint=f"write KEY=VALUE or KEY!=VALUE; keys: {', '.join(KEYS)}")
    return Condition(key, pattern, excludes)


def labels(selector: str) -> Iterable[Condition]:
    """The conditions of kubectl's `-l`: `app=web,tier!=db,canary,!old`, without its sets. Raises InvalidInput."""
    for part in selector.split(","):
        key, equals, value = part.strip().partition("=")
        if not _LABEL_KEY.fullmatch(key.strip()):
            raise InvalidInput(f"{selector!r} is not a selector of labels", hint="write such as app=web,tier!=db,!old")
        name = key.strip().strip("!")
        pattern = f"{name}={value.removeprefix('=').strip()}" if equals else name
        yield Condition("label", pattern, "!" in key)


def fits(conditions: Sequence[Condition], pod: Document) -> bool:
    """Whether all of them let the pod through; of those with one key that exclude nothing, one suffices."""
    by_key: dict[str, list[Condition]] = {}
    for each in conditions:
        if each.excludes and not each.fits(pod):
            return False
        if not each.excludes:
            by_key.setdefault(each.key if each.key != "label" else f"label {each.pattern}", []).append(each)
    return all(any(each.fits(pod) for each in group) for group in by_key.values())


def _read_filters(_: click.Context, parameter: click.Parameter, texts: Sequence[str]) -> list[Condition]:
    return _read(parameter, lambda: [condition(text) for text in texts])


def _read_selector(_: click.Context, parameter: click.Parameter, text: str | None) -> list[Condition]:
    return _read(parameter, lambda: [] if text is None else list(labels(text)))


def _read(parameter: click.Parameter, read: Callable[[], list[Condition]]) -> list[Condition]:
    """Raises a usage error."""
    try:
        return read()
    except InvalidInput as error:
        raise click.BadParameter(f"{error.message} ({error.hint})", param_hint=parameter.opts[-1]) from error


def values(key: str, pod: Document) -> list[str]:
    """What the pod has for a key; nothing for an unknown one."""
    found = _VALUES.get(_OTHER_WORDS.get(key, key))
    return [] if found is None else found(pod)


def _complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys, and behind the sign the values that pods have."""
    key, equals, _value = incomplete.partition("=")
    if not equals:
        return complete.matching([CompletionItem(f"{each}=") for each in KEYS], incomplete)
    found = sorted({value for pod in complete.look(context, ended=True) for value in values(key.rstrip("!"), pod)})
    return complete.matching([CompletionItem(f"{key}={value}") for value in found], incomplete)


_OPTIONS: Final = (
    click.option(
        "-f",
        "--filter",
        "conditions",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_read_filters,
        shell_complete=_complete,
        help=f"Only pods that fit; KEY!=VALUE excludes, * stands for anything. Keys: {', '.join(KEYS)}.",
    ),
    click.option("--class", "pod_class", type=click.Choice(["regular", "revocable"]), help="Only pods of this class."),
    click.option("--role", help="Only pods of this role and the roles below it.", shell_complete=complete.roles),
    click.option(
        "-n", "--namespace", metavar="NAME", help="Only pods of this namespace.", shell_complete=complete.namespaces
    ),
    click.option(
        "-l",
        "--selector",
        metavar="LABELS",
        callback=_read_selector,
        help="Only pods with these labels, such as app=web,tier!=db.",
    ),
)


def options(command: F) -> F:
    """The options that choose pods, for a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(values: dict[str, Any]) -> list[Condition]:
    """The conditions that these options make; takes them out of `values`."""
    named = (("class", values.pop("pod_class")), ("role", values.pop("role")), ("namespace", values.pop("namespace")))
    own = [Condition(key, value) for key, value in named if value is not None]
    return [*values.pop("conditions"), *values.pop("selector"), *own]
