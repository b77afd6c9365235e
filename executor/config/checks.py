"""The limits of configuration values that no type can say: paths, names, addresses, roles. Pure.

Each takes a value of the right type, and raises WrongValueError for one that it does not allow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from executor import hostnames
from executor.errors import clipped

SHOWN_LETTERS: Final = 200


class WrongValueError(Exception):
    """What a value should have been; becomes InvalidConfig where the subject is known."""


class WrongPartError(Exception):
    """What is wrong in a value of several parts, as a whole sentence; becomes InvalidConfig, as WrongValueError."""


def refusal(value: object, expected: str) -> str:
    """The sentence for a value that is another one than `expected`."""
    return f"{clipped(repr(value), SHOWN_LETTERS)} is not {expected}"


def _absolute(value: Any) -> None:
    paths = (value,) if isinstance(value, str) else value
    if not all(path.startswith("/") and "\0" not in path for path in paths):
        raise WrongValueError("an absolute path")


def _roles(value: Any) -> None:
    """As Mesos has them (src/common/roles.cpp); another name would be a limit on nothing."""
    for part in (part for role in value for part in role.split("/")):
        if part in ("", ".", "..") or part.startswith("-") or any(each.isspace() for each in part):
            raise WrongValueError("a table of roles, such as eng and eng/dev")


def _filled(value: Any) -> None:
    if not value:
        raise WrongValueError("a name")


def _runtime(value: Any) -> None:
    """A name that containerd cannot find fails every launch, and containerd takes no arguments with it."""
    is_path = value.startswith("/") and not any(each.isspace() or each == "\0" for each in value)
    if value not in ("", "auto", "runc", "crun") and not is_path:
        raise WrongValueError("auto, runc, crun, or the absolute path of a program, without arguments")


def _endpoints(value: Any) -> None:
    for each in value:
        match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^][\s/:@]+):([0-9]{1,5})", each)
        if match is None or not 0 < int(match[1]) < 1 << 16:
            raise WrongValueError("a list of HOST:PORT, such as 10.0.0.1:5050")


def _http(value: Any) -> None:
    match = re.fullmatch(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^][\s/:@?#]+)(?::([0-9]{1,5}))?(?:/[!-~]*)?", value)
    if value and (match is None or not 0 < int(match[1] or 1) < 1 << 16):
        raise WrongValueError("a URL such as http://127.0.0.1:4318")


def _addresses(value: Any) -> None:
    import ipaddress

    try:
        for each in value:
            scope = getattr(ipaddress.ip_address(each), "scope_id", None)
            if scope is not None and not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", scope):
                raise ValueError("a zone that is not an interface")
    except ValueError as error:
        raise WrongValueError("a list of IP addresses") from error


def _domain(value: Any) -> None:
    if not hostnames.is_name(value):
        raise WrongValueError("a DNS domain in small letters that does not end in a number, such as cluster.local")


def _group(value: Any) -> None:
    if value and (not value.startswith("/") or ".." in value.split("/") or "\0" in value):
        raise WrongValueError("the path of a cgroup, such as /mesos-pod-executor")


def _program(value: Any) -> None:
    if value and (not value[0].startswith("/") or "\0" in "".join(value)):
        raise WrongValueError("a list of an absolute path and its arguments")


def _proxy(value: Any) -> None:
    if value and not re.fullmatch(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^][\s/:@?#]+)(?::[0-9]{1,5})?/?", value):
        raise WrongValueError("http://HOST:PORT of a proxy, without a user and a path")


def _cpus(value: Any) -> None:
    spans = [part.partition("-")[::2] for part in value.split(",")] if value else []
    known = all(_is_cpu(first) and (_is_cpu(last) or not last) for first, last in spans)
    if not known or any(last and int(last) < int(first) for first, last in spans) or value.endswith("-"):
        raise WrongValueError("a list of CPUs, such as 0-3,8")


def _is_cpu(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,4}", text) is not None


def _io_max(value: Any) -> None:
    from executor.config import io_limits

    try:
        paths = [io_limits.parse(item)[0] for item in value]
    except ValueError as error:
        raise WrongValueError(str(error)) from error
    if len({*paths}) < len(paths):
        raise WrongValueError("a list with one limit for each disk")


CHECKS: Final[Mapping[str, Callable[[Any], None]]] = {
    "absolute": _absolute,
    "filled": _filled,
    "runtime": _runtime,
    "roles": _roles,
    "endpoints": _endpoints,
    "http": _http,
    "addresses": _addresses,
    "domain": _domain,
    "group": _group,
    "program": _program,
    "proxy": _proxy,
    "cpus": _cpus,
    "io_max": _io_max,
}
