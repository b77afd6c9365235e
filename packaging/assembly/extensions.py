"""Extension modules for the Pythons that the venv is not of, from the wheels that the lock names.

Modules of several Pythons lie side by side, since their names tell them apart (`x.cpython-312-x86_64-linux-gnu.so`).
Everything else in these wheels is what the venv's own has, which is checked.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from assembly.distributions import Bundled
from preparation.engine import BUILD, Report, Runner, Step, ensure
from preparation.steps import PYTHON, REACHABLE, RUNTIME

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The packages run on each of these. packaging/programs/python and packaging/nfpm.yaml name them, too."""
WHEELS = BUILD / "packages/wheels"
_MODULE = re.compile(r"\.cpython-3\d+-[\w-]+\.so$")


def others() -> list[tuple[int, int]]:
    """The Pythons that the venv is not of. Raises SystemExit if it is of none of them."""
    if sys.version_info[:2] not in PYTHONS:
        raise SystemExit(f"build: the packages are for Python {_text(PYTHONS[0])} to {_text(PYTHONS[-1])}")
    return [version for version in PYTHONS if version != sys.version_info[:2]]


def modules(distributions: Sequence[Bundled]) -> Iterator[tuple[str, bytes]]:
    """Place in the tree, and content. Raises SystemExit if a wheel has other Python code than the venv."""
    compiled = [one for one in distributions if any(_MODULE.search(str(path)) for path in one.files)]
    _download(compiled)
    for version in others():
        for one in compiled:
            (wheel,) = (WHEELS / _text(version)).glob(f"{one.name.replace('-', '_')}-{one.version}-*.whl")
            yield from _modules_of(wheel, one)


def _modules_of(wheel: Path, one: Bundled) -> Iterator[tuple[str, bytes]]:
    own = {str(path): path for path in one.files if ".dist-info/" not in str(path)}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if _MODULE.search(name):
                yield name, archive.read(name)
            elif name in own and _digest(archive.read(name)) != _digest(Path(str(own[name].locate())).read_bytes()):
                raise SystemExit(f"build: {name} of {wheel.name} is not the one of the venv")


def _download(distributions: Sequence[Bundled]) -> None:
    """By pip, which compares each with the lock."""
    entries = re.split(r"\n(?=\w)", RUNTIME.read_text())
    lines = [entry for entry in entries for one in distributions if entry.startswith(f"{one.name}==")]
    places = tuple(WHEELS / _text(version) for version in others())
    inputs = (*lines, *map(_text, others()))
    WHEELS.parent.mkdir(parents=True, exist_ok=True)
    with WHEELS.with_suffix(".lock").open("w") as lock:  # another build may want them, too
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure((Step("wheels", lambda: inputs, places, lambda run: _fetch(run, lines), REACHABLE),), Report(quiet=True))


def _fetch(run: Runner, lines: Sequence[str]) -> None:
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir(parents=True)
    wanted = WHEELS / "requirements.txt"
    wanted.write_text("\n".join([*lines, ""]))
    machine = platform.machine()
    kind = ["--implementation", "cp", f"--platform=manylinux2014_{machine}", f"--platform=manylinux_2_17_{machine}"]
    locked = ["--no-deps", "--require-hashes", "--only-binary=:all:", *kind, "--requirement", str(wanted)]
    for version in others():
        where = ["--python-version", _text(version), "--dest", str(WHEELS / _text(version))]
        run(PYTHON, "-m", "pip", "download", *locked, *where, attempts=2)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
