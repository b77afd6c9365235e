"""Which configuration key a framework may set by a variable of its executor. Pure.

The variables of an executor are the framework's: it writes them into ExecutorInfo, and they replace those that the
agent gives to every executor (--executor_environment_variables), so both look the same. The operator's value
is the one in the configuration file, or else the default. Against it a variable may do what its key allows:

    operator     nothing
    framework    everything: the choice is the framework's own
    tighten      make the value stricter: `stricter` below says in which direction

A key without an entry is the operator's. Commands are not judged: they are run by root on the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from executor.config.role_limit import RoleLimit

T = TypeVar("T")


class Trust(StrEnum):
    OPERATOR = "operator"
    FRAMEWORK = "framework"
    TIGHTEN = "tighten"


@dataclass(frozen=True)
class Rule:
    """`stricter` gets the operator's value and the one that a framework asks for, and returns the one that holds, or
    None where the framework's is looser. `direction` says in words what is stricter.
    """

    trust: Trust
    direction: str = ""
    stricter: Callable[[Any, Any], Any] | None = None

    def judge(self, in_force: Any, asked: Any) -> Any:
        """The value that holds; None: `asked` takes no effect."""
        if self.trust is Trust.FRAMEWORK:
            return asked
        return None if self.stricter is None else self.stricter(in_force, asked)

    def __str__(self) -> str:
        return "operator only" if self.trust is Trust.OPERATOR else f"framework: {self.direction or 'any value'}"


def rule(section: str, key: str) -> Rule:
    """Which values a framework may set for a key; a key without a rule is the operator's."""
    return _RULES.get(f"{section}.{key}", _OPERATOR)


def _at_most(in_force: float, asked: float) -> float | None:
    return asked if asked <= in_force else None


def _at_most_0_unlimited(in_force: int, asked: int) -> int | None:
    return asked if in_force == 0 or 0 < asked <= in_force else None


def _only_off(in_force: bool, asked: bool) -> bool | None:  # noqa: FBT001 # a value, no switch
    return asked if in_force or not asked else None


def _more_entries(in_force: Mapping[str, str], asked: Mapping[str, str]) -> Mapping[str, str] | None:
    """Entries may be added; those of the operator stay, also where the framework does not repeat them."""
    changed = [key for key, value in asked.items() if in_force.get(key, value) != value]
    return None if changed else MappingProxyType({**in_force, **asked})


def _lower_limits(in_force: Mapping[str, RoleLimit], asked: Mapping[str, RoleLimit]) -> Mapping[str, RoleLimit] | None:
    """Roles may be added and limits lowered; a role or a resource that is not named keeps the operator's limit."""
    merged = dict(in_force)
    for role, wanted in asked.items():
        own = in_force.get(role, RoleLimit())
        if _exceeds(wanted.cpus, own.cpus) or _exceeds(wanted.mem_bytes, own.mem_bytes):
            return None
        merged[role] = RoleLimit(_or(wanted.cpus, own.cpus), _or(wanted.mem_bytes, own.mem_bytes))
    return MappingProxyType(merged)


def _exceeds(asked: float | None, own: float | None) -> bool:
    return asked is not None and own is not None and asked > own


def _or(asked: T | None, own: T | None) -> T | None:
    return own if asked is None else asked


_OPERATOR: Final = Rule(Trust.OPERATOR)
_FRAMEWORK: Final = Rule(Trust.FRAMEWORK)
_LOWER: Final = Rule(Trust.TIGHTEN, "lower only", _at_most)
_LOWER_0_UNLIMITED: Final = Rule(Trust.TIGHTEN, "lower only, 0 is no limit", _at_most_0_unlimited)
_RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "dns.enabled": Rule(Trust.TIGHTEN, "false only", _only_off),
        "pods.default_image": _FRAMEWORK,
        "pods.termination_grace_s": _FRAMEWORK,
        "pods.start_timeout_s": _LOWER,
        "pods.max_launching": _LOWER,
        "pods.pids_max": _LOWER_0_UNLIMITED,
        "pods.log_max_bytes": _LOWER_0_UNLIMITED,
        "pods.log_files": _LOWER,
        "roles.namespace_to_role": Rule(Trust.TIGHTEN, "more namespaces only", _more_entries),
        "roles.limits": Rule(Trust.TIGHTEN, "more roles and lower limits only", _lower_limits),
        "revocation.grace_s": _LOWER,
        "revocation.stuck_after_s": _LOWER,
        "log.level": _FRAMEWORK,
        "log.format": _FRAMEWORK,
        "log.max_bytes": _LOWER,
        "log.journal_max_bytes": _LOWER,
    }
)
KEYS: Final = frozenset(_RULES)
"""Keys with a rule of their own."""
