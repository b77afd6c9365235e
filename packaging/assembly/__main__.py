"""packaging/build --output DIR [--release N] [--only deb|rpm]

Makes mesos-pod-executor's deb and rpm in DIR and prints their names. The same checkout gives the same bytes, wherever
and whenever it is built.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

from assembly import stage, tool
from preparation.engine import BUILD, SOURCE_DATE_EPOCH

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    usage, _, description = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="packaging/build", usage=usage.partition(" ")[2], description=description)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if it is not there")
    parser.add_argument("--release", default="1", metavar="N", help="the package's own revision of a version (1)")
    parser.add_argument("--only", choices=tool.FORMATS, help="one format instead of both")
    arguments = parser.parse_args()
    for path in build([arguments.only] if arguments.only else list(tool.FORMATS), arguments.release, arguments.output):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


def build(formats: list[str], release: str, output: Path) -> list[Path]:
    """The packages, moved to `output` when all of them are complete."""
    tool.install()
    values = {
        "VERSION": stage.VERSION,
        "RELEASE": release,
        "ARCH": ARCHITECTURES[platform.machine()],
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
    }
    with tempfile.TemporaryDirectory(prefix="making-", dir=BUILD / "packages") as scratch:
        directory, made = Path(scratch, "stage"), Path(scratch, "made")
        directory.mkdir()
        made.mkdir()
        stage.make(directory)
        paths = [tool.package(directory, kind, made, values) for kind in formats]
        output.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, output / path.name)) for path in paths]


if __name__ == "__main__":
    main()
