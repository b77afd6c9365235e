"""The docstring of a package that lists modules is a map: it lists all of them, and none that is not there."""

from __future__ import annotations

import re

from tests.support.sources import python_files


def test_a_list_of_modules_is_whole() -> None:
    wrong = []
    paths = {source.path for source in python_files()}
    for source in python_files():
        folder = source.path.removesuffix("__init__.py")
        if folder in (source.path, "executor/") or not folder.startswith(("executor/", "cgroups/")):
            continue
        listed = set(re.findall(r"(?<![\w/])\w+\.py\b", source.facts.docstring))
        below = {path.removeprefix(folder) for path in paths if path.startswith(folder)} - {"__init__.py"}
        modules = {path for path in below if "/" not in path}
        if len(listed) > 1 and (differ := listed ^ modules):
            wrong.append(f"{source.path}: {sorted(differ)}")
    assert not wrong, "\n".join(wrong)
