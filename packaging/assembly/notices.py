"""Copyright and licence texts of everything in the packages, in Debian's machine-readable form (DEP-5).

One file for both formats: a person reads it as well, and every text is in it in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assembly.distributions import Bundled

_OWN = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: mesos-pod-executor
Comment:
 The Python libraries that the program needs are part of the package, as they
 were published, without their tests. Each has a paragraph below with its
 licence and its notices in full; the same list for programs is in sbom.cdx.json.

Files: *
Copyright: the authors of mesos-pod-executor
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0;
 it is also in the file LICENSE beside this one.
"""


def copyright_file(distributions: Sequence[Bundled], version: str) -> str:
    paragraphs = [_OWN, *(_paragraph(one, version) for one in distributions)]
    return "\n".join(paragraphs)


def _paragraph(one: Bundled, version: str) -> str:
    patterns = "\n ".join(f"opt/mesos-pod-executor/{version}/lib/{top}*" for top in one.tops)
    owners = "\n ".join(_owners(one))
    # The name makes the licence's name unique: texts differ from project to project in names and years.
    texts = "".join(_folded(name, text) for name, text in one.texts)
    comment = f"{one.name} {one.version} {one.home}".rstrip()
    return (
        f"Files:\n {patterns}\nComment: {comment}\nCopyright:\n {owners}\nLicense: {_name(one)}\n"
        f" SPDX: {one.licence}\n{texts}"
    )


def _name(one: Bundled) -> str:
    """A name without spaces, as the form wants it; the expression itself stands in the text."""
    return f"{one.name}-license"


def _owners(one: Bundled) -> list[str]:
    found = dict.fromkeys(line for _, text in one.texts for line in _copyright_lines(text))
    return list(found) or [one.author]


def _copyright_lines(text: str) -> Iterator[str]:
    """Lines that claim a copyright; not the sentences about copyright in a licence."""
    for line in text.splitlines():
        if match := re.match(r"(?i)\W*copyright\s*(\(c\)|©)?\s*(?=(by\s)?[^a-z]*\d{4}|\d|the\s|by\s)(.+)", line):
            yield " ".join(match.group(3).split())


def _folded(name: str, text: str) -> str:
    lines = [f"--- {name} ---", *(line.rstrip() for line in text.strip("\n").splitlines())]
    return "".join(f" {line}\n" if line else " .\n" for line in lines)
