"""Names from frameworks as directory names: injective, invertible, never out of the directory they are put in. Pure.

Role `*` is `_`. A component that could be taken for something else gets a `_` before it: one that starts with `_` or
with `pod-`, and one that could be a file of the kernel's (all of those contain a `.`, or are one of three words). What
cannot be a name at all (empty, `.`, `..`, with `/` or a control character, longer than a file name) raises InvalidName.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from cgroups.errors import InvalidName

POD_PREFIX = "pod-"
_ANY_ROLE = "*"
_ESCAPE = "_"
_KERNEL_WORDS = frozenset({"tasks", "notify_on_release", "release_agent"})
_NAME_MAX_BYTES = 255


def escape(component: str) -> str:
    """One component (of a role, or a container's name) as a directory name. Raises InvalidName."""
    _check(component)
    escaped = _ESCAPE + component if _ambiguous(component) else component
    _check(escaped)
    return escaped


def unescape(name: str) -> str:
    """The inverse of `escape`. Raises InvalidName for a directory name that `escape` never makes."""
    component = name.removeprefix(_ESCAPE)
    _check(component)
    if escape(component) != name:
        raise InvalidName(f"{name!r} is not an escaped name")
    return component


def role_path(role: str) -> tuple[str, ...]:
    """The directories of a Mesos role, outermost first. Raises InvalidName.

    A `*` inside a longer role is refused, as Mesos does (src/common/roles.cpp).
    """
    if role == _ANY_ROLE:
        return (_ESCAPE,)
    components = role.split("/")
    if _ANY_ROLE in components:
        raise InvalidName(f"role {role!r} has '*' as one of its components")
    return tuple(escape(component) for component in components)


def role_of(path: tuple[str, ...]) -> str:
    """The inverse of `role_path`. Raises InvalidName."""
    if path == (_ESCAPE,):
        return _ANY_ROLE
    if not path or _ANY_ROLE in path:
        raise InvalidName(f"{'/'.join(path)!r} is not a role's path")
    return "/".join(unescape(name) for name in path)


def is_pod_directory(name: str) -> bool:
    """Whether a group of that name is a pod's."""
    return name.startswith(POD_PREFIX)


def pod_directory(pod_id: str) -> str:
    """A pod's id as a directory name: `pod-` and something after it. Raises InvalidName."""
    _check(pod_id)
    if not is_pod_directory(pod_id) or pod_id == POD_PREFIX or "." in pod_id:
        raise InvalidName(f"{pod_id!r} is not a pod id: it must start with {POD_PREFIX!r} and contain no '.'")
    return pod_id


def cgroup_path(path: str) -> str:
    """An absolute cgroup path with every component checked, without a trailing slash (the root is `/`)."""
    if not path.startswith("/"):
        raise InvalidName(f"cgroup path {path!r} is not absolute")
    if path == "/":
        return path
    for component in path[1:].split("/"):
        _check(component)
    return path


def _ambiguous(component: str) -> bool:
    return component.startswith((_ESCAPE, POD_PREFIX)) or "." in component or component in _KERNEL_WORDS


@lru_cache(maxsize=1024)
def _check(component: str) -> None:
    if component in ("", ".", "..") or "/" in component:
        raise InvalidName(f"{component!r} cannot be a directory name")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in component):
        raise InvalidName(f"{component!r} contains a control character or half a surrogate pair")
    if len(component.encode()) > _NAME_MAX_BYTES:
        raise InvalidName(f"{component[:32]!r}... is longer than {_NAME_MAX_BYTES} bytes")
