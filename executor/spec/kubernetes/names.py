"""Names as Kubernetes allows them. Pure.

Every function takes the path of the field that it judges, to name it in its InvalidTask. Source: apimachinery,
pkg/util/validation/validation.go and pkg/api/validation/objectmeta.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown

_PART: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_. ]{0,61}[A-Za-z0-9])?")
_PORT: Final = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_VARIABLE: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9 ]*")
_DOMAIN: Final = re.compile(r"[a-z0-9_]([-_a-z0-9]{0,61}[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]{0,61}[a-z0-9_])?)*")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[-+]\d\d:\d\d)")
_PART_HINT: Final = "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"


def qualified(name: str, subject: str) -> str:
    """`app`, or `example.com/app`: of a label, an annotation, a taint."""
    prefix, slash, last = name.rpartition("/")
    if slash:
        common.dns_subdomain(prefix, subject)
    if not _PART.fullmatch(last):
        raise InvalidTask(f"{shown(name)!r} is not a qualified name", subject=subject, hint=_PART_HINT)
    return name


def label_value(text: str, subject: str) -> str:
    """Kubernetes takes no spaces; here a label is only compared, and they are let through."""
    if text and not _VALUE.fullmatch(text):
        raise InvalidTask(f"{shown(text)!r} is not a value of a label", subject=subject, hint=_PART_HINT)
    return text


def labels(table: Mapping[str, str], path: str, faults: Faults) -> None:
    """Judge names and values of labels; what is wrong goes to `faults`."""
    for key, value in table.items():
        place = f"{path}['{shown(key)}']"
        faults.check(qualified, key, place)
        faults.check(label_value, value, place)


def annotation_keys(table: Mapping[str, str], path: str, faults: Faults) -> None:
    """The keys of annotations are compared without their case."""
    for key in table:
        faults.check(qualified, key.lower(), f"{path}['{shown(key)}']")


def port(name: str, subject: str) -> str:
    """RFC 6335, section 5.1."""
    if not _PORT.fullmatch(name) or "--" in name:
        hint = "use 1 to 15 small letters, digits and single -, with a letter among them"
        raise InvalidTask(f"{shown(name)!r} is not a name of a port", subject=subject, hint=hint)
    return name


def variable(name: str, subject: str) -> str:
    """As before Kubernetes 1.32, which takes any printable letter but `=`; of these, spaces are taken here too."""
    if not _VARIABLE.fullmatch(name) or name in (".", "..") or name.startswith(".."):
        hint = "use letters, digits, _, - and ., with no digit in front"
        raise InvalidTask(f"{shown(name)!r} cannot name a variable", subject=subject, hint=hint)
    return name


def time(text: str, subject: str) -> str:
    """A time as RFC 3339 has it. Raises InvalidTask."""
    if not _TIME.fullmatch(text):
        raise InvalidTask(f"{shown(text)!r} is not a time", subject=subject, hint="as in 2026-01-02T03:04:05Z")
    return text


def search_domain(name: str, subject: str) -> str:
    """A search domain of resolv.conf(5): with underscores, and perhaps a point at its end; `.` alone is the root."""
    if name != "." and (len(name) > common.SHORT_MAX or not _DOMAIN.fullmatch(name.removesuffix("."))):
        raise InvalidTask(
            f"{shown(name)!r} is not a domain", subject=subject, hint="use small letters, digits, -, _ and ."
        )
    return name
