"""The distributions that are bundled: those of packaging/requirements/runtime.txt, as they lie in the tested venv.

Every file is held against the digest that its distribution's RECORD gives, so that what is packaged is what was
locked, whatever happened to the venv since.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path

from preparation.engine import ROOT
from preparation.steps import HTTP_PARSER, RUNTIME

NOTICES = ROOT / "packaging/licences"
OWN_LICENCE = "Apache-2.0"
STAND_IN = "http-parser"
"""The project's own distribution of this name, in packaging/http-parser."""

# Written by the person who installed it, or about files that are not taken over.
_INSTALLERS_OWN = {"INSTALLER", "REQUESTED", "RECORD", "WHEEL", "direct_url.json"}
_UNWANTED_DIRECTORIES = {"tests", "__pycache__"}
_UNWANTED_SUFFIXES = {".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".pyc"}

# What distributions write about their licence where they do not use an SPDX expression.
_SPDX = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD-3-Clause": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
}


@dataclass(frozen=True)
class Bundled:
    """One distribution; `files` are relative to a directory for sys.path, `texts` its licence and notice files."""

    name: str
    version: str
    licence: str
    home: str
    author: str
    files: tuple[PackagePath, ...]
    texts: tuple[tuple[str, str], ...]
    hashes: tuple[str, ...]

    @property
    def tops(self) -> list[str]:
        """The top-level modules and packages, which no other distribution shares."""
        found = {path.parts[0] if path.parts[0] != "google" else "/".join(path.parts[:2]) for path in self.files}
        return sorted(found)


def bundled() -> list[Bundled]:
    """By name. Raises SystemExit naming what does not agree with the lock or carries no licence."""
    locked = dict(_locked(RUNTIME.read_text()))
    found = [_bundled(distribution(name), locked.get(name, ())) for name in sorted({*locked, STAND_IN})]
    for one in found:
        if not one.texts:
            raise SystemExit(f"build: {one.name} has no licence text; put the one of its project into {NOTICES}")
    return found


def licences(distributions: Sequence[Bundled]) -> str:
    """The SPDX expression for all of it and the project; where there is a choice, the project's own is taken."""
    found = {part for one in distributions for part in _chosen(one.licence).split(" AND ")}
    return " AND ".join([OWN_LICENCE, *sorted(found - {OWN_LICENCE})])


def _chosen(expression: str) -> str:
    return OWN_LICENCE if OWN_LICENCE in expression.split(" OR ") else expression


def _locked(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for entry in re.split(r"\n(?=\w)", text):
        if match := re.match(r"([\w.-]+)==([^ ]+)", entry):
            name, version = match.groups()
            if distribution(name).version != version:
                raise SystemExit(f"build: {name} in the venv is not {version}, as locked; run packaging/prepare")
            yield name, tuple(re.findall(r"sha256:([0-9a-f]{64})", entry))


def _bundled(found: Distribution, hashes: tuple[str, ...]) -> Bundled:
    files = tuple(path for path in sorted(found.files or ()) if _wanted(path))
    for path in files:
        _verify(found, path)
    author = next(filter(None, (_field(found, name) for name in ("Author", "Author-Email", "Maintainer-Email"))), "")
    return Bundled(
        name=re.sub(r"[-_.]+", "-", found.name).lower(),
        version=found.version,
        licence=_licence(found),
        home=_home(found),
        author=author or "the authors of mesos-pod-executor",
        files=files,
        texts=tuple(_texts(found, files)),
        hashes=hashes,
    )


def _wanted(path: PackagePath) -> bool:
    """Code and metadata; no scripts (`../../../bin/x`), tests, sources of C extensions, type stubs."""
    if path.parts[0] == ".." or _UNWANTED_DIRECTORIES & set(path.parts):
        return False
    if path.parts[0].endswith(".dist-info"):
        return path.name not in _INSTALLERS_OWN
    return path.suffix not in _UNWANTED_SUFFIXES and path.name != "py.typed"


def _verify(found: Distribution, path: PackagePath) -> None:
    content = Path(str(path.locate())).read_bytes()
    if path.hash is None or path.hash.mode != "sha256":
        raise SystemExit(f"build: {found.name} records no digest of {path}")
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    if digest != path.hash.value:
        raise SystemExit(f"build: {path} of {found.name} was changed since it was installed; remove .build/venv")


def _licence(found: Distribution) -> str:
    """An SPDX expression."""
    if expression := _field(found, "License-Expression"):
        return expression
    classifiers = [line for line in found.metadata.get_all("Classifier") or () if line.startswith("License ::")]
    words = [_field(found, "License"), *(line.rpartition(" :: ")[2] for line in classifiers)]
    known = [_SPDX[word] for word in words if word in _SPDX]
    if not known:
        raise SystemExit(f"build: {found.name} says about its licence {words}; teach distributions.py what that means")
    return known[0]


def _home(found: Distribution) -> str:
    urls = dict(line.split(", ", 1) for line in found.metadata.get_all("Project-URL") or ())
    named = {label.lower(): url for label, url in urls.items()}
    wanted = ("source", "source code", "github", "repository", "homepage", "home", "code")
    return _field(found, "Home-page") or next((named[label] for label in wanted if label in named), "")


def _field(found: Distribution, name: str) -> str:
    return str(next(iter(found.metadata.get_all(name) or ()), ""))


def _texts(found: Distribution, files: tuple[PackagePath, ...]) -> Iterator[tuple[str, str]]:
    if found.name == STAND_IN:
        yield "LICENSE", (HTTP_PARSER.parent.parent / "LICENSE").read_text()
        return
    for path in files:
        # pyroute2's second licence, which is not the one that is chosen here, stays in its own directory.
        is_text = re.match(r"(?i)(licen[cs]e(?!\.gpl)|copying|notice)", path.name)
        if path.parts[0].endswith(".dist-info") and is_text:
            yield path.name, Path(str(path.locate())).read_text()
    own = NOTICES / f"{found.name}.txt"
    if own.exists():
        yield "LICENSE", own.read_text()
