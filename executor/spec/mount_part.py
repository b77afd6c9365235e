"""Which part of its volume a mount shows. Pure.

Source: Kubernetes, "Using subPath with expanded environment variables".
"""

from __future__ import annotations

from collections.abc import Mapping

from executor.errors import InvalidTask
from executor.spec import volume_files
from executor.spec.expansion import Budget, expanded
from executor.spec.marks import shown
from executor.spec.volume_model import VolumeMount


def part(mount: VolumeMount, variables: Mapping[str, str], container: str) -> str:
    """The subPath; of an expression with its variables filled in. Raises InvalidTask, whose message has the expression
    and no variable's value: that may be a secret.
    """
    if not mount.expands:
        return mount.sub_path
    subject, known = f"container {container}, subPathExpr of {mount.path}", _Noting(variables)
    filled = expanded(mount.sub_path, known, Budget(), subject)
    if known.missing:
        raise InvalidTask(f"there is no variable {shown(known.missing[0])}", subject=subject)
    try:
        return volume_files.relative(filled, subject)
    except InvalidTask as error:
        hint = "its variables make it empty, absolute, too long, or lead upwards with .."
        raise InvalidTask(f"{shown(mount.sub_path)!r} is no relative path", subject=subject, hint=hint) from error


class _Noting(dict[str, str]):
    """Variables that note which ones were asked for and are not there."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.missing: list[str] = []

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        if name not in self:
            self.missing.append(name)
        return super().get(name, default)
