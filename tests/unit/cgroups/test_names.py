"""Names from frameworks never become a path that somebody did not mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups.errors import InvalidName
from cgroups.names import cgroup_path, escape, is_pod_directory, pod_directory, role_of, role_path, unescape

KERNEL_FILES = [
    "tasks", "notify_on_release", "release_agent", "cgroup.procs", "cgroup.kill", "memory.max", "cpu.shares",
    "freezer.state", "irq.pressure",
]  # fmt: skip

components = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=60)
valid = components.filter(lambda name: name not in (".", "..")) | st.sampled_from(
    ["_", "__", "_pod-1", "pod-", "pod-1", "tasks", "_tasks", "a.b", "_a.b", "x", "-"]
)
roles = st.just("*") | st.lists(valid.filter(lambda name: name != "*"), min_size=1, max_size=4).map("/".join)


@given(valid)
def test_escape_is_invertible(name: str) -> None:
    assert unescape(escape(name)) == name


@given(valid, valid)
def test_escape_is_injective(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(roles)
def test_roles_are_invertible(role: str) -> None:
    assert role_of(role_path(role)) == role


@given(roles, roles)
def test_roles_are_injective(one: str, other: str) -> None:
    assert (role_path(one) == role_path(other)) == (one == other)


@given(roles)
def test_no_role_is_a_pod_or_a_file_of_the_kernels(role: str) -> None:
    for name in role_path(role):
        assert not is_pod_directory(name)
        assert name not in KERNEL_FILES
        assert "/" not in name
        assert name not in ("", ".", "..")


@given(st.text(max_size=300))
def test_any_text_is_escaped_or_refused(text: str) -> None:
    try:
        name = escape(text)
    except InvalidName:
        return
    assert cgroup_path(f"/a/{name}").count("/") == 2
    assert len(name.encode()) <= 255


@given(st.text(max_size=80))
def test_any_text_is_a_role_or_refused(text: str) -> None:
    try:
        path = role_path(text)
    except InvalidName:
        return
    assert role_of(path) == text


@given(st.text(max_size=20))
def test_what_unescape_takes_escape_makes(name: str) -> None:
    try:
        component = unescape(name)
    except InvalidName:
        return
    assert escape(component) == name


@pytest.mark.parametrize("file", KERNEL_FILES)
def test_kernel_files_get_a_prefix(file: str) -> None:
    assert escape(file) == f"_{file}"


@pytest.mark.parametrize(
    ("role", "path"),
    [("*", ("_",)), ("_", ("__",)), ("eng/dev", ("eng", "dev")), ("pod-1/x", ("_pod-1", "x")), ("a.b", ("_a.b",))],
)
def test_examples(role: str, path: tuple[str, ...]) -> None:
    assert role_path(role) == path


@pytest.mark.parametrize(
    "role", ["", "..", "a/..", "/a", "a/", "a//b", ".", "a\nb", "a\x00", "*/a", "a/*", "x" * 256, "a\x7f", "\ud800"]
)
def test_refused_roles(role: str) -> None:
    with pytest.raises(InvalidName):
        role_path(role)


@pytest.mark.parametrize("pod_id", ["pod-", "pod-..", "x", "", "pod-a/b", "../pod-1", "pod-1.x", "pod-1\n"])
def test_refused_pod_ids(pod_id: str) -> None:
    with pytest.raises(InvalidName):
        pod_directory(pod_id)


@pytest.mark.parametrize("path", ["", "a", "//", "/a/", "/a//b", "/a/../b", "/./a", "/a\nb"])
def test_refused_paths(path: str) -> None:
    with pytest.raises(InvalidName):
        cgroup_path(path)


@pytest.mark.parametrize("path", [(), ("_", "x"), ("pod-1",), ("*",), ("_x",), ("a.b",)])
def test_directories_that_are_no_roles(path: tuple[str, ...]) -> None:
    with pytest.raises(InvalidName):
        role_of(path)
