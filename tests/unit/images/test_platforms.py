"""Which platforms a node runs."""

from __future__ import annotations

import pytest

from executor.images.platforms import Platform, of_entry, rank, runnable

V2 = "fpu cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
V3 = f"{V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"


def names(machine: str, flags: str = "") -> list[str]:
    return [str(each) for each in runnable(machine, f"processor : 0\nflags\t\t: {flags}\n")]


def test_the_best_level_of_an_x86_cpu_comes_first() -> None:
    assert names("x86_64", "fpu") == ["linux/amd64", "linux/386"]
    assert names("x86_64", V2)[0] == "linux/amd64/v2"
    assert names("x86_64", V3)[:3] == ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]
    assert names("x86_64", V4)[0] == "linux/amd64/v4"


def test_a_level_needs_the_one_below() -> None:
    assert names("x86_64", V3.replace("popcnt", ""))[0] == "linux/amd64"


def test_arm_runs_older_variants() -> None:
    assert names("aarch64") == ["linux/arm64", *(f"linux/arm/v{n}" for n in (8, 7, 6, 5)), "linux/arm"]
    assert names("armv7l")[:2] == ["linux/arm/v7", "linux/arm/v6"]
    assert names("s390x") == ["linux/s390x"]


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ({"os": "linux", "architecture": "amd64", "variant": "v1"}, Platform("amd64")),
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, Platform("arm64")),
        ({"os": "Linux", "architecture": "x86_64"}, Platform("amd64")),
        ({"os": "linux", "architecture": "arm", "variant": "7"}, Platform("arm", "v7")),
        ({"os": "windows", "architecture": "amd64"}, None),
        ({"os": "unknown", "architecture": "unknown"}, None),
        ("text", None),
    ],
)
def test_ways_to_write_a_platform(platform: object, expected: Platform | None) -> None:
    assert of_entry({"platform": platform}) == expected


def test_a_rank_is_the_place_among_what_runs() -> None:
    wanted = runnable("x86_64", f"flags : {V2}")

    assert rank(Platform("amd64", "v2"), wanted) == 0
    assert rank(Platform("amd64", "v3"), wanted) is None
