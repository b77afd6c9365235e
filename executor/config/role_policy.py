"""What the pods of a Mesos role may ask of the node: a value of [policy] default and of [policy] roles. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

from executor import bounded_toml
from executor.config.checks import SHOWN_LETTERS, refusal
from executor.errors import clipped

HELP: Final = (
    'privileged, baseline or restricted, or a table such as {level = "baseline", host_paths = ["/srv/data", "/opt:ro"]}'
)
_KERNEL: Final = ("/proc", "/sys", "/dev")
_CAPABILITY: Final = re.compile(r"(?!CAP_)[A-Z][A-Z_]{0,40}")
_CAPABILITY_WORDS: Final = "capability, such as NET_ADMIN, which is written without CAP_"
_SYSCTL: Final = re.compile(r"[a-z0-9][-_.a-z0-9]{0,251}\*?")
LIST_MAX: Final = 100


class Level(StrEnum):
    """The levels of Kubernetes' Pod Security Standards, the widest first."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


@dataclass(frozen=True, order=True)
class AllowedPath:
    """A directory of the node: hostPath volumes may name it and all below it."""

    prefix: str
    read_only: bool = False

    def __str__(self) -> str:
        return f"{self.prefix}:ro" if self.read_only else self.prefix


@dataclass(frozen=True)
class RolePolicy:
    """The level, and what is allowed beyond it. The lists are empty with the level privileged, which allows all of it.

    `capabilities` are written without CAP_. `sysctls` are names with dots; one that ends with * stands for all that
    begin so. `devices` are paths of device nodes. `networks` are CNI networks that the pods may join; None: all.
    """

    level: Level = Level.BASELINE
    host_paths: tuple[AllowedPath, ...] = ()
    host_network: bool = False
    host_ports: bool = True
    """Whether pods may use the ports of the node that their tasks were offered; no other port is ever allowed."""
    capabilities: tuple[str, ...] = ()
    sysctls: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    networks: tuple[str, ...] | None = None
    static_addresses: bool = False
    """Whether pods may demand an IP or MAC address of a network."""

    @classmethod
    def of(cls, value: object) -> Self:
        """From a level or a table of the configuration; a text that begins with { is a TOML table. Raises ValueError
        that says what the value must be.
        """
        table = _table(value)
        unknown = table.keys() - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(_unknown_key(min(unknown), [each.name for each in fields(cls)]))
        made = cls(**{name: _READERS[name](name, each) for name, each in table.items()})
        _check_level(made, table)
        return made

    def __str__(self) -> str:
        """The level, and the keys that differ from their defaults."""
        plain = type(self)()
        own = [
            f"{each.name}={_shown(getattr(self, each.name))}"
            for each in fields(self)
            if each.name != "level" and getattr(self, each.name) != getattr(plain, each.name)
        ]
        return " ".join([self.level, *own])


def _table(value: object) -> Mapping[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        value = _inline(value)
    if isinstance(value, str):
        return {"level": value}
    if isinstance(value, Mapping):
        return value
    raise ValueError(refusal(value, HELP))


def _unknown_key(name: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"{clipped(name, SHOWN_LETTERS)} is not a key of a policy: {hint}"


def _inline(text: str) -> object:
    try:
        return bounded_toml.loads(f"value = {text}")["value"]
    except bounded_toml.TomlError as error:
        raise ValueError(f"{refusal(text, HELP)}: {error}") from error


def _check_level(made: RolePolicy, table: Mapping[str, object]) -> None:
    if made.level is Level.PRIVILEGED and (idle := table.keys() - {"level", "networks"}):
        raise ValueError(f"the level privileged needs no {min(idle)}, since it allows everything: remove that key")


def _level(_: str, value: object) -> Level:
    if value not in tuple(Level):
        raise ValueError(refusal(value, HELP))
    return Level(str(value))


def _truth(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{name} must be true or false, not {clipped(repr(value), SHOWN_LETTERS)}")


def _texts(name: str, value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [None]
    if not all(isinstance(each, str) and each for each in listed) or len(listed) > LIST_MAX:
        raise ValueError(f"{name} must be a list of at most {LIST_MAX} texts")
    return tuple(listed)


def _matching(pattern: re.Pattern[str], what: str, name: str, value: object) -> tuple[str, ...]:
    found = _texts(name, value)
    for each in found:
        if not pattern.fullmatch(each):
            raise ValueError(f"{name}: {each[:80]!r} is not a {what}")
    return found


def _paths(name: str, value: object) -> tuple[AllowedPath, ...]:
    found = []
    for each in _texts(name, value):
        path = each.removesuffix(":ro")
        if not _is_clean(path) or path == "/" or any(is_within(path, kernel) for kernel in _KERNEL):
            hint = "an absolute path, other than / and outside of /proc, /sys and /dev (:ro at its end: read only)"
            raise ValueError(f"{name}: {each[:80]!r} is not {hint}")
        found.append(AllowedPath(path, path != each))
    return tuple(found)


def _devices(name: str, value: object) -> tuple[str, ...]:
    found = _texts(name, value)
    for each in found:
        if not _is_clean(each) or not is_within(each, "/dev") or each == "/dev":
            raise ValueError(f"{name}: {each[:80]!r} is not the path of a device, such as /dev/fuse")
    return found


def _is_clean(path: str) -> bool:
    return path.startswith("/") and "\0" not in path and posixpath.normpath(path) == path and "//" not in path


def is_within(path: str, directory: str) -> bool:
    """Whether a clean absolute path is `directory` or below it, by their names alone."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


_READERS: Final[Mapping[str, Any]] = {
    "level": _level,
    "host_paths": _paths,
    "host_network": _truth,
    "host_ports": _truth,
    "capabilities": lambda name, value: _matching(_CAPABILITY, _CAPABILITY_WORDS, name, value),
    "sysctls": lambda name, value: _matching(_SYSCTL, "sysctl with dots, such as net.core.somaxconn", name, value),
    "devices": _devices,
    "networks": _texts,
    "static_addresses": _truth,
}
