"""Profiles of the node's operator, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.oci import local_profiles
from executor.spec.security_model import Security


def test_the_apparmor_profile_of_a_container(tmp_path: Path) -> None:
    loaded, enabled = tmp_path / "profiles", tmp_path / "enabled"
    loaded.write_text("pods (enforce)\nown (enforce)\n")

    def profile(security: Security, default: str = "pods") -> str:
        return local_profiles.app_armor(security, default, loaded, enabled)

    assert profile(Security()) == "", "the kernel has no AppArmor"
    enabled.write_text("Y\n")
    assert profile(Security()) == profile(Security(app_armor="RuntimeDefault")) == "pods"
    assert profile(Security(app_armor="Localhost", app_armor_profile="own")) == "own"
    assert profile(Security(), default="") == "", "the operator names none"
    assert profile(Security(app_armor="Unconfined")) == profile(Security(privileged=True)) == ""
    with pytest.raises(Failure, match="not loaded"):
        profile(Security(), default="gone")


PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}


def test_a_profile_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit/a.json").write_text(json.dumps(PROFILE))
    (tmp_path / "link.json").symlink_to("/audit/a.json")
    assert local_profiles.seccomp(str(tmp_path), "audit/a.json") == PROFILE
    assert local_profiles.seccomp(str(tmp_path), "link.json") == PROFILE, "links start at the directory"


def test_no_link_leads_out(tmp_path: Path) -> None:
    directory = tmp_path / "profiles"
    directory.mkdir()
    (tmp_path / "outside.json").write_text(json.dumps(PROFILE))
    (directory / "a.json").symlink_to("../outside.json")
    with pytest.raises(Failure, match="No such file"):
        local_profiles.seccomp(str(directory), "a.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "no defaultAction"),
        ("{}", "no defaultAction"),
        ('{"defaultAction": 1}', "no defaultAction"),
        ('{"defaultAction": "' + "x" * (1 << 20) + '"}', "is not JSON"),
    ],
)
def test_what_is_no_profile(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(Failure, match=words) as caught:
        local_profiles.seccomp(str(tmp_path), "a.json")
    assert caught.value.subject == "seccomp profile a.json"


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for name in ("directory", "missing"):
        with pytest.raises(Failure, match="cannot be read") as caught:
            local_profiles.seccomp(str(tmp_path), name)
        assert "[pods] seccomp_dir" in caught.value.hint
    with pytest.raises(Failure, match="cannot be read"):
        local_profiles.seccomp(str(tmp_path / "none"), "a.json")


def test_apparmor_profiles_are_those_that_the_kernel_has(tmp_path: Path) -> None:
    loaded = tmp_path / "profiles"
    loaded.write_text("deny-write (enforce)\nmy profile (complain)\n")
    local_profiles.check_app_armor("deny-write", loaded)
    local_profiles.check_app_armor("my profile", loaded)
    with pytest.raises(Failure, match="not loaded"):
        local_profiles.check_app_armor("deny", loaded)
    with pytest.raises(Failure, match="no AppArmor"):
        local_profiles.check_app_armor("deny-write", tmp_path / "none")
