"""The seccomp and AppArmor profiles of a container, by the fields and by the annotations that stood for them before
Kubernetes 1.19 (seccomp) and 1.30 (AppArmor). Pure.

Source: pkg/apis/core/validation (validateSeccompProfileField, ValidateAppArmorProfileField).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from executor.errors import InvalidTask
from executor.spec import volume_files
from executor.spec.kubernetes.container_documents import AppArmorProfile, Identity, SeccompProfile
from executor.spec.kubernetes.pod_documents import Pod
from executor.spec.model import Policy
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown

LOCALHOST: Final = "Localhost"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_LOCAL: Final = "localhost/"
_SECCOMP_WORDS: Final = {
    "runtime/default": "RuntimeDefault",
    "docker/default": "RuntimeDefault",
    "unconfined": "Unconfined",
    "": "",
}
_APPARMOR_WORDS: Final = {"runtime/default": "RuntimeDefault", "unconfined": "Unconfined", "": ""}
_NAME_MAX: Final = 4095


@dataclass(frozen=True)
class Profile:
    """`kind` as in the fields, empty where the pod names none; `name` is that of a Localhost profile."""

    kind: str = ""
    name: str = ""


NONE: Final = Profile()


def seccomp(
    own: Identity, shared: Identity, annotations: Mapping[str, str], name: str, path: str, faults: Faults
) -> Profile:
    """A container's own wins over its pod's, and both over an annotation; `path` is that of the container's."""
    for context, place in ((own, path), (shared, "spec.securityContext")):
        if context.seccomp_profile is not None:
            return faults.of(NONE, _seccomp, context.seccomp_profile, f"{place}.seccompProfile")
    for key in (f"{_SECCOMP}{name}", _SECCOMP_POD):
        if key in annotations:
            return faults.of(NONE, _annotated_seccomp, annotations[key], _subject(key))
    return NONE


def app_armor(
    own: Identity, shared: Identity, annotations: Mapping[str, str], name: str, path: str, faults: Faults
) -> Profile:
    """As `seccomp`."""
    for context, place in ((own, path), (shared, "spec.securityContext")):
        if context.app_armor_profile is not None:
            return faults.of(NONE, _app_armor, context.app_armor_profile, f"{place}.appArmorProfile")
    key = f"{_APPARMOR}{name}"
    return faults.of(NONE, _annotated_app_armor, annotations[key], _subject(key)) if key in annotations else NONE


def check_annotations(annotations: Mapping[str, str], containers: Sequence[str], faults: Faults) -> None:
    """That those of containers name containers that there are."""
    for key in annotations:
        prefix = next((prefix for prefix in (_APPARMOR, _SECCOMP) if key.startswith(prefix)), None)
        if prefix is not None and key.removeprefix(prefix) not in containers:
            faults.add(InvalidTask("names no container of the pod", subject=_subject(key)))


def app_armor_defaults(pod: Pod, policy: Policy, faults: Faults) -> tuple[str, ...]:
    """Where the pod asks for AppArmor's RuntimeDefault without effect: the node has no AppArmor. One that has, and has
    no profile for it, is a fault.
    """
    found = tuple(_defaults(pod))
    if not policy.has_app_armor:
        return found
    for subject in found if not policy.app_armor_profile else ():
        hint = "the operator names a loaded one in [pods] app_armor_profile; or name one with type Localhost"
        faults.add(InvalidTask("this node has no AppArmor profile for RuntimeDefault", subject=subject, hint=hint))
    return ()


def _defaults(pod: Pod) -> Iterator[str]:
    both = {"spec.initContainers": pod.spec.init_containers, "spec.containers": pod.spec.containers}
    contexts: list[tuple[Identity, str]] = [(pod.spec.security_context, "spec.securityContext")]
    for path, some in both.items():
        contexts += [(one.security_context, f"{path}[{index}].securityContext") for index, one in enumerate(some)]
    for context, path in contexts:
        if context.app_armor_profile is not None and context.app_armor_profile.type == "RuntimeDefault":
            yield f"{path}.appArmorProfile.type"
    for key, text in pod.metadata.annotations.items():
        if key.startswith(_APPARMOR) and text == "runtime/default":
            yield _subject(key)


def _seccomp(profile: SeccompProfile, path: str) -> Profile:
    _check_name(profile.type, profile.localhost_profile, path)
    if profile.type != LOCALHOST:
        return Profile(profile.type)
    return Profile(LOCALHOST, volume_files.profile(profile.localhost_profile, f"{path}.localhostProfile"))


def _app_armor(profile: AppArmorProfile, path: str) -> Profile:
    _check_name(profile.type, profile.localhost_profile, path)
    if profile.type != LOCALHOST:
        return Profile(profile.type)
    return Profile(LOCALHOST, _app_armor_name(profile.localhost_profile, f"{path}.localhostProfile"))


def _check_name(kind: str, name: str, path: str) -> None:
    if kind == LOCALHOST and not name:
        raise InvalidTask("is missing, and type is Localhost", subject=f"{path}.localhostProfile")
    if kind != LOCALHOST and name:
        raise InvalidTask(f"is for type Localhost, and type is {kind}", subject=f"{path}.localhostProfile")


def _app_armor_name(name: str, path: str) -> str:
    if name != name.strip() or not name.isprintable() or len(name) > _NAME_MAX:
        raise InvalidTask(f"{shown(name)!r} is not a name of a profile", subject=path)
    return name


def _annotated_seccomp(text: str, subject: str) -> Profile:
    if text.startswith(_LOCAL):
        return Profile(LOCALHOST, volume_files.profile(text.removeprefix(_LOCAL), subject))
    if text not in _SECCOMP_WORDS:
        hint = "use runtime/default, localhost/<file> or unconfined"
        raise InvalidTask(f"{shown(text)!r} is not a profile", subject=subject, hint=hint)
    return Profile(_SECCOMP_WORDS[text])


def _annotated_app_armor(text: str, subject: str) -> Profile:
    name = text.removeprefix(_LOCAL)
    if text.startswith(_LOCAL) and name:
        return Profile(LOCALHOST, _app_armor_name(name, subject))
    if text not in _APPARMOR_WORDS:
        hint = "use runtime/default, localhost/<profile> or unconfined"
        raise InvalidTask(f"{shown(text)!r} is not a profile", subject=subject, hint=hint)
    return Profile(_APPARMOR_WORDS[text])


def _subject(key: str) -> str:
    return f"metadata.annotations['{shown(key)}']"
