"""packaging/build --output DIR [--release N] [--only deb|rpm] [--homepage URL] [--maintainer "NAME <ADDRESS>"]

Makes mesos-pod-executor's deb and rpm in DIR and prints their names. The same checkout gives the same bytes, wherever
and whenever it is built.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from assembly import stage, tool
from preparation.engine import BUILD

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    usage, _, description = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="packaging/build", usage=usage.partition(" ")[2], description=description)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if it is not there")
    parser.add_argument("--release", default="1", metavar="N", help="the package's own revision of a version (1)")
    parser.add_argument("--only", choices=tool.FORMATS, help="one format instead of both")
    parser.add_argument("--homepage", metavar="URL", help="of who publishes the packages (none)")
    parser.add_argument("--maintainer", metavar="NAME", help="who publishes them, with an address in <> (the authors)")
    arguments = parser.parse_args()
    publisher = {"homepage": arguments.homepage, "maintainer": arguments.maintainer, "vendor": arguments.maintainer}
    publisher = {field: text for field, text in publisher.items() if text}
    formats = [arguments.only] if arguments.only else list(tool.FORMATS)
    for path in build(formats, arguments.release, arguments.output, publisher):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


def build(formats: list[str], release: str, output: Path, publisher: Mapping[str, str]) -> list[Path]:
    """The packages, moved to `output` when all of them are complete."""
    tool.install()
    values = {
        "VERSION": stage.VERSION,
        "RELEASE": release,
        "ARCH": ARCHITECTURES[platform.machine()],
        "SOURCE_DATE_EPOCH": str(int(stage.released().timestamp())),
    }
    with tempfile.TemporaryDirectory(prefix="making-", dir=BUILD / "packages") as scratch:
        directory, made = Path(scratch, "stage"), Path(scratch, "made")
        directory.mkdir()
        made.mkdir()
        stage.make(directory, publisher)
        paths = [tool.package(directory, kind, made, values) for kind in formats]
        output.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, output / path.name)) for path in paths]


if __name__ == "__main__":
    main()
