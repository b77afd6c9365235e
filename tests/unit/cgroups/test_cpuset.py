"""CPUs of a group, as the kernel writes and reads lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups.cpuset import Cpuset, cpu_list, effective, parse_cpus
from cgroups.errors import CgroupError
from cgroups.files import Directory
from cgroups.mounts import Mode

EFFECTIVE = {Mode.V1: "cpuset.effective_cpus", Mode.V2: "cpuset.cpus.effective"}


@given(st.frozensets(st.integers(0, 300)))
def test_a_list_survives_a_round_trip(cpus: frozenset[int]) -> None:
    assert parse_cpus(cpu_list(cpus)) == cpus


@pytest.mark.parametrize(("text", "cpus"), [("0-3,8\n", {0, 1, 2, 3, 8}), ("", set()), ("5", {5}), ("1,1-2", {1, 2})])
def test_lists_of_the_kernel(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "0-99999", "1;2", "0-3:1/2", "٣"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"CPU"):
        parse_cpus(text)


@pytest.mark.parametrize("mode", [Mode.V1, Mode.V2])
def test_the_cpus_in_force_are_those_that_were_asked_for(tmp_path: Path, mode: Mode) -> None:
    """v2 takes CPUs that are not there, and leaves the group those of its parent."""
    (tmp_path / "cpuset.cpus").write_text("")
    for found, fits in (("8-9", True), ("8", True), ("0-9", False)):
        (tmp_path / EFFECTIVE[mode]).write_text(found)
        with Directory.open(tmp_path) as directory:
            if fits:
                assert Cpuset(cpus={8, 9}).write(directory, mode) == []
            else:
                with pytest.raises(CgroupError, match="8-9 are not here: the processes would run on 0-9"):
                    Cpuset(cpus={8, 9}).write(directory, mode)
            assert effective((directory, mode)) == parse_cpus(found)
        assert (tmp_path / "cpuset.cpus").read_text() == "8-9"


def test_a_kernel_without_it(tmp_path: Path) -> None:
    with Directory.open(tmp_path) as directory:
        assert Cpuset(cpus={1}).write(directory, Mode.V2) == ["cpuset.cpus"]
        assert effective((directory, Mode.V2)) is None
    assert effective(None) is None


def test_no_cpu_at_all() -> None:
    with pytest.raises(ValueError, match="without a CPU"):
        Cpuset(cpus=())
