"""What doctor says of the policies of roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.config import load
from executor.config.role_policy import RolePolicy
from executor.doctor.finding import Finding
from executor.doctor.policy import check, networks, seccomp

PRIVILEGED, BASELINE = RolePolicy.of("privileged"), RolePolicy.of("baseline")


def found(text: str) -> dict[str, list[Finding]]:
    by_check: dict[str, list[Finding]] = {}
    for each in check(load(text, {})):
        by_check.setdefault(each.check, []).append(each)
    return by_check


def test_the_default_is_told() -> None:
    (levels,) = found("")["policy.levels"]
    assert (levels.verdict, levels.message) == ("pass", "every other role: baseline")
    assert "policy.privileged" not in found("")


def test_a_role_that_can_do_anything_is_named() -> None:
    (wide,) = found('[policy.roles]\ninfra = "privileged"\n')["policy.privileged"]
    assert wide.verdict == "warn" and "infra" in wide.message and "[policy]" in wide.hint


@pytest.mark.parametrize(
    ("default", "roles", "told"),
    [
        ("", {"a": BASELINE}, ["refused"]),
        ("", {"a": PRIVILEGED}, ["share the node's: a"]),
        ("", {"a": PRIVILEGED, "b": BASELINE}, ["refused", "share the node's: a"]),
        ("podnet", {"a": PRIVILEGED, "b": BASELINE}, []),
        ("none", {"b": BASELINE}, []),
    ],
)
def test_the_network_of_a_pod_that_names_none(default: str, roles: dict[str, RolePolicy], told: list[str]) -> None:
    messages = [each.message for each in networks(default, roles)]
    assert len(messages) == len(told) and all(part in text for part, text in zip(told, messages, strict=True))


def test_directories_of_lists(tmp_path: Path) -> None:
    lists = f'["{tmp_path}", "{tmp_path}/missing", "/run/containerd/x:ro"]'
    text = f'[policy]\ndefault = {{host_paths = {lists}, devices = ["/dev/null", "/dev/no-such"]}}\n'
    verdicts = [(each.verdict, each.message) for each in found(text)["policy.host_paths"]]
    assert [verdict for verdict, _ in verdicts] == ["warn", "fail"]
    assert "missing" in verdicts[0][1] and "/run/containerd" in verdicts[1][1]
    (device,) = found(text)["policy.devices"]
    assert "/dev/no-such" in device.message


def test_a_directory_around_one_that_no_pod_gets(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "other").mkdir()
    text = f'''
        [node]
        state_dir = "{tmp_path}/own"
        [policy]
        default = {{host_paths = ["{tmp_path}", "{tmp_path}/other"]}}
    '''
    (only,) = found(text)["policy.host_paths"]
    assert (only.verdict, f"{tmp_path} in host_paths would show {tmp_path}/own" in only.message) == ("warn", True)


def test_seccomp_needs_a_kernel() -> None:
    assert seccomp("kill_process kill_thread trap errno user_notif trace log allow\n").verdict == "pass"
    assert seccomp("").verdict == "fail"


def test_a_capability_that_linux_does_not_have_is_named() -> None:
    (wrong,) = found('[policy.roles]\neng = {capabilities = ["NET_ADMIN", "NETADMIN"]}\n')["policy.capabilities"]
    assert wrong.verdict == "warn"
    assert wrong.message.startswith("eng: NETADMIN in capabilities is not a capability of Linux")
