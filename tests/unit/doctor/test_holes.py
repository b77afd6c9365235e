"""Known holes by version, and settings that end more than a pod: judgements without a node."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from executor.doctor import holes, masks, settings
from executor.doctor.finding import Finding


@pytest.mark.parametrize(
    ("program", "text", "verdict", "words"),
    [
        ("runc", "runc version 1.1.11 commit: v1.1.11-0-g4bccb38c spec: 1.0.2", "warn", "CVE-2024-21626"),
        ("runc", "runc version 1.1.12 commit: v1.1.12", "warn", "CVE-2025-31133"),
        ("runc", "runc version 1.2.8", "pass", "none is known"),
        ("runc", "runc version 1.3.2", "warn", "CVE-2025-52881"),
        ("runc", "runc version 1.3.3", "pass", "none is known"),
        ("runc", "runc version 1.4.0-rc.1", "warn", "CVE-2025-31133"),
        ("runc", "runc version 1.4.0", "pass", "none is known"),
        ("runc", "runc version 1.5.0", "pass", "none is known"),
        ("runc", "runc version 1.1.5+ds1 commit: 1.1.5+ds1-1+deb12u1 spec: 1.0.2-dev", "pass", "corrects holes itself"),
        ("runc", "runc version 1.1.4-0ubuntu1~22.04.3", "pass", "CVE-2024-21626"),
        ("runc", "crun", "pass", "is not known"),
        ("containerd", "v1.6.20", "warn", "CVE-2024-40635"),
        ("containerd", "1.6.20~ds1", "pass", "corrects holes itself"),
        ("containerd", "v1.7.28", "warn", "CVE-2024-25621"),
        ("containerd", "v1.7.29", "pass", "none is known"),
        ("containerd", "v2.0.4", "warn", "CVE-2024-25621"),
        ("containerd", "v2.2.0", "pass", "none is known"),
        ("containerd", "v1.4.1", "warn", "CVE-2023-25173"),
    ],
)
def test_holes_by_version(program: str, text: str, verdict: str, words: str) -> None:
    found = holes.judge(program, text)
    assert (found.check, found.verdict) == (f"containerd.{program}_holes", verdict)
    assert words in found.message and bool(found.hint) is (verdict == "warn")


def test_the_hint_is_the_nearest_version_without_any() -> None:
    assert holes.judge("runc", "runc version 1.1.11").hint == "runc 1.2.8 or later"
    assert holes.judge("containerd", "v2.0.1").hint == "containerd 2.0.7 or later"


@pytest.mark.parametrize(
    ("judge", "value", "verdict"),
    [
        (settings.panic_on_oom, 0, "pass"),
        (settings.panic_on_oom, 1, "warn"),
        (settings.panic_on_oom, 2, "fail"),
        (settings.pid_max, 4096, "warn"),
        (settings.pid_max, 32768, "pass"),
        (settings.instances, 64, "warn"),
        (settings.instances, 128, "pass"),
    ],
)
def test_settings(judge: Callable[[int], Finding], value: int, verdict: str) -> None:
    found = judge(value)
    assert found.verdict == verdict and bool(found.hint) is (verdict != "pass")


def test_daemons_that_kill() -> None:
    found = settings.killers({"systemd", "systemd-oomd", "earlyoom"})
    assert found.verdict == "warn" and "systemd-oomd, earlyoom kills" in found.message
    alone = settings.killers({"systemd", "systemd-oomd"})
    assert alone.verdict == "warn" and "revocable containers before regular ones" in alone.message
    assert settings.killers({"systemd", "dockerd"}).verdict == "pass"


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        (
            'runc run failed: unable to start container process: exec: "/no-such-program": stat ...',
            "warn",
            "CVE-2025-31133",
        ),
        (
            "error during container init: can't mask paths: container's /dev/null is invalid",
            "pass",
            "the real /dev/null",
        ),
        ("runc run failed: unable to apply cgroup configuration: permission denied", "skip", "permission denied"),
    ],
)
def test_a_hole_that_was_tried(text: str, verdict: str, words: str) -> None:
    found = masks.judge(text)
    assert (found.check, found.verdict) == ("containerd.runc_masks", verdict)
    assert words in found.message and bool(found.hint) is (verdict == "warn")
