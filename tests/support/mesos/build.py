"""Make a runnable Mesos 1.11.0: `python3 -m tests.support.mesos.build --output DIR`.

The published package of Mesos' Python 2.7 scheduler bindings has all of libmesos in one extension module. It is
fetched with pip, checked against a pinned digest, given stubs for libraries that no longer exist and a small program
around it (shim/). Idempotent: the stamp names everything that the result depends on, a second run only reads it.
Standard library only, because this runs before a virtual environment exists. Needs gcc, g++ and binutils.

    DIR/bin/mesos-node                 master or agent
    DIR/libexec/mesos-containerizer    the agent's helper (MESOS_LAUNCHER_DIR)
    DIR/libexec/mesos-executor         stands in for the command executor
    DIR/lib/                           libmesos and the stubs
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.mesos import stubs

MESOS_VERSION = "1.11.0"
REQUIREMENT = f"mesos-scheduler==={MESOS_VERSION}.linux-x86_64"  # `===` because this is no PEP 440 version
MEMBER = "_scheduler.so"
MEMBER_SHA256 = "84d7ee9af27e912636b139de40257df1ee4f56c201de6bba834278aa1e8fd64c"
OLD_PIP = "pip==23.2.1"  # the last series that accepts such a version is 24.0

_HERE = Path(__file__).parent
_SHIM = ("main.cpp", "containerizer.cpp", "redirect.cpp")
_SOURCES = (
    *(f"shim/{name}" for name in (*_SHIM, "shim.h", "libmesos.h")),
    "stubs.py",
    "build.py",
    "command_executor.py",
)
DEFAULT_OUTPUT = _HERE.parents[2] / ".build" / "mesos"


class BuildError(Exception):
    """The package could not be fetched or is not the one that is expected."""


def ensure(output: Path | None = None) -> Path:
    """The directory of a Mesos ready to run, built if need be: `output`, else MPE_TEST_MESOS, else .build/mesos.

    Raises BuildError, or subprocess.CalledProcessError from a compiler. Safe to call from several processes at once.
    """
    output = (output or Path(os.environ.get("MPE_TEST_MESOS") or DEFAULT_OUTPUT)).absolute()
    if _is_current(output):
        return output
    with _lock(output):
        if not _is_current(output):
            _build(output)
    return output


def stamp() -> str:
    digest = hashlib.sha256(MEMBER_SHA256.encode())
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    return digest.hexdigest()


def _is_current(output: Path) -> bool:
    try:
        return (output / "stamp").read_text() == stamp()
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _lock(output: Path) -> Iterator[None]:
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.with_name(f".{output.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(output: Path) -> None:
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as scratch:
        made, fetched = Path(scratch) / "made", Path(scratch) / "fetched"
        for directory in (fetched, *(made / name for name in ("bin", "lib", "libexec"))):
            directory.mkdir(parents=True)
        library = made / "lib" / f"libmesos-{MESOS_VERSION}.so"
        _reuse(output / "lib" / library.name, library) or _fetch(fetched).rename(library)
        _check(library)
        stubs.build(library, made / "lib")
        _compile(made, library)
        (made / "stamp").write_text(stamp())
        shutil.rmtree(output, ignore_errors=True)
        made.rename(output)


def _reuse(old: Path, new: Path) -> bool:
    """A change of the shim does not download the library again."""
    if not old.is_file() or _sha256(old) != MEMBER_SHA256:
        return False
    os.link(old, new)
    return True


def _fetch(scratch: Path) -> Path:
    """The extension module, from this interpreter's pip, else from an older pip that knows such versions."""
    tried = []
    for pip in (_own_pip, _old_pip):
        result = _download(pip(scratch), scratch)
        if member := _find(scratch):
            return member
        tried.append(result)
    raise BuildError(f"pip did not bring {REQUIREMENT}:\n" + "\n".join(tried))


def _own_pip(scratch: Path) -> list[str]:
    return [sys.executable, "-m", "pip"]


def _old_pip(scratch: Path) -> list[str]:
    python = scratch / "pip" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(scratch / "pip")], check=True)
    subprocess.run([str(python), "-m", "pip", "--quiet", "install", OLD_PIP], check=True)
    return [str(python), "-m", "pip"]


def _download(pip: list[str], scratch: Path) -> str:
    """pip ends with an error, since the archive is no Python project; `--no-clean` makes it leave what it unpacked."""
    options = [
        "--no-deps",
        "--no-clean",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--dest",
        str(scratch / "dest"),
    ]
    environment = os.environ | {"TMPDIR": str(scratch)}
    command = [*pip, "download", *options, REQUIREMENT]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True).stderr


def _find(scratch: Path) -> Path | None:
    """The module in what pip left: a directory, or an archive that it did not unpack."""
    for archive in scratch.rglob("mesos*.tar.gz"):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == MEMBER:
                    member.name = MEMBER
                    tar.extract(member, scratch)
    return next((path for path in scratch.rglob(MEMBER) if path.is_file()), None)


def _check(library: Path) -> None:
    if (found := _sha256(library)) != MEMBER_SHA256:
        raise BuildError(f"{MEMBER} of {REQUIREMENT} has the SHA-256 digest {found}, expected {MEMBER_SHA256}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compile(made: Path, library: Path) -> None:
    sources = [str(_HERE / "shim" / name) for name in _SHIM]
    libraries = ["-Wl,--no-as-needed", f"-l:{stubs.LINKED_BY_US}", f"-l:{library.name}", "-ldl", "-lpthread"]
    search = [
        f"-L{made / 'lib'}",
        "-Wl,--disable-new-dtags",
        "-Wl,-rpath,$ORIGIN/../lib",
        "-Wl,--allow-shlib-undefined",
    ]
    program = made / "bin" / "mesos-node"
    subprocess.run(["g++", "-std=c++14", "-O1", "-Wall", "-o", str(program), *sources, *search, *libraries], check=True)
    os.link(program, made / "libexec" / "mesos-containerizer")
    executor = made / "libexec" / "mesos-executor"
    shutil.copyfile(_HERE / "command_executor.py", executor)
    executor.chmod(0o755)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.support.mesos.build", description="Build Mesos for tests.")
    parser.add_argument("--output", type=Path, help="directory of the result (default: .build/mesos)")
    try:
        sys.stdout.write(f"{ensure(parser.parse_args().output)}\n")
    except (BuildError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
