"""The stage: every file of the packages, as packaging/nfpm.yaml takes it from there.

What is in it depends on the checkout and the lock alone: no time of day, no name of this machine, every file with the
same mode and time wherever it was made.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from assembly import completions, manual, notices, sbom, tree
from assembly.distributions import Bundled, bundled, licences
from assembly.roff import render
from executor import __version__
from executor.config import sections
from executor.config.values import default_file
from preparation.engine import ROOT

SOURCES = ROOT / "packaging"
VERSION = __version__
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
EXAMPLES = ("grafana", "prometheus")

# systemd's units that are enabled and started where the package is installed, and those that an operator may enable.
ENABLED = ("mesos-pod-executor-gc.timer",)
OPTIONAL = (
    "mesos-pod-executor-dns.service",
    "mesos-pod-executor-dns-sync.service",
    "mesos-pod-executor-lend.service",
)


def released() -> datetime:
    """The date of the newest entry of the changelog, which is that of all files."""
    newest = yaml.safe_load((SOURCES / "changelog.yaml").read_text())[0]
    return datetime.fromisoformat(str(newest["date"])).astimezone(UTC)


def make(stage: Path, publisher: Mapping[str, str]) -> None:
    """Fill the empty directory `stage`. `publisher`: fields of nfpm.yaml that say who publishes the packages."""
    distributions = bundled()
    digest = tree.make(stage / "lib", distributions)
    (stage / "id").write_text(f"{VERSION}-{digest[:12]}\n")
    _programs(stage)
    _documents(stage, distributions, digest)
    _manual(stage / "man")
    completions.write(stage / "completions")
    (stage / "config.toml").write_text(default_file(sections()))
    for name in ("changelog.yaml", "tmpfiles.conf"):
        shutil.copyfile(SOURCES / name, stage / name)
    shutil.copyfile(SOURCES / "deb/lintian-overrides", stage / "lintian-overrides")
    shutil.copytree(SOURCES / "systemd", stage / "systemd")
    _describe(stage, {"license": licences(distributions), **publisher})
    _settle(stage)


def _programs(stage: Path) -> None:
    """Scripts, with @NAME@ replaced."""
    targets = {f"programs/{path.name}": f"bin/{path.name}" for path in (SOURCES / "programs").iterdir()}
    targets |= {path: f"scripts/{path}" for kind in ("deb", "rpm") for path in _scripts(kind)}
    for source, target in sorted(targets.items()):
        (stage / target).parent.mkdir(parents=True, exist_ok=True)
        (stage / target).write_text(_replaced((SOURCES / source).read_text()))


def _scripts(kind: str) -> list[str]:
    return sorted(f"{kind}/{path.name}" for path in (SOURCES / kind).iterdir() if path.name != "lintian-overrides")


def _replaced(text: str) -> str:
    """@PURGE@ is a text of several lines, which takes the place's indentation."""
    text = text.replace("@VERSION@", VERSION)
    text = text.replace("@ENABLED@", " ".join(ENABLED)).replace("@OPTIONAL@", " ".join(OPTIONAL))
    purge = (SOURCES / "purge.in").read_text()
    return re.sub(r"^( *)@PURGE@\n", lambda match: textwrap.indent(purge, match[1]), text, flags=re.MULTILINE)


def _documents(stage: Path, distributions: list[Bundled], digest: str) -> None:
    timestamp = released().strftime(INSTANT)
    shutil.copytree(SOURCES / "doc", stage / "doc")
    readme = (ROOT / "README.md").read_text()
    (stage / "doc/README.md").write_text(readme.replace("](packaging/doc/", "]("))  # its documents are beside it there
    for name in EXAMPLES:
        shutil.copytree(SOURCES / name, stage / "doc" / name)
    bill = sbom.document(distributions, version=VERSION, tree_digest=digest, timestamp=timestamp)
    (stage / "doc/sbom.cdx.json").write_text(bill)
    (stage / "copyright").write_text(notices.copyright_file(distributions, VERSION))
    shutil.copyfile(ROOT / "LICENSE", stage / "LICENSE")


def _manual(directory: Path) -> None:
    directory.mkdir()
    date = released().strftime("%Y-%m-%d")
    for page in manual.pages():
        text = render(page, version=f"mesos-pod-executor {VERSION}", date=date)
        (directory / f"{page.file}.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _describe(stage: Path, fields: Mapping[str, str]) -> None:
    """nfpm.yaml with what nfpm itself does not do: patterns for files of the type `doc`, and those in the deb too."""
    description = yaml.safe_load((SOURCES / "nfpm.yaml").read_text())
    contents = [each for entry in description["contents"] for each in _resolved(entry, stage)]
    whole = {**description, **fields, "mtime": released().strftime(INSTANT), "contents": contents}
    (stage / "nfpm.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))


def _resolved(entry: dict[str, Any], stage: Path) -> Iterator[dict[str, Any]]:
    """Directories that a pattern finds become the package's own."""
    if "*" not in entry.get("src", ""):
        yield entry
        return
    base = stage / entry["src"].partition("*")[0]
    for path in sorted(stage.glob(entry["src"])):
        one = {**entry, "src": str(path.relative_to(stage)), "dst": f"{entry['dst']}{path.relative_to(base)}"}
        if path.is_dir():
            yield {"dst": one["dst"], "type": "dir"}
        elif one.get("type") == "doc":
            yield {**one, "packager": "rpm"}
            yield {**one, "packager": "deb", "type": "file"}
        else:
            yield one


def _settle(stage: Path) -> None:
    """Modes that no umask changed; one time for all."""
    time_s = released().timestamp()
    for path in sorted(stage.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        os.utime(path, (time_s, time_s))
