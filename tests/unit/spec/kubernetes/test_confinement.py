"""Profiles of the node's operator that a pod names, and the faults of a pod that names them wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import Policy
from executor.spec.security_model import Security
from tests.unit.pod.samples import Document, pod, task

C, S = "spec.containers[0].securityContext", "spec.securityContext"
FILE = {"type": "Localhost", "localhostProfile": "audit/a.json"}
LOADED = {"type": "Localhost", "localhostProfile": "deny-write"}


def security(document: Document) -> Security:
    return parse_launch([task(document)], group=False).containers[0].security


def own(**context: Any) -> Document:
    return pod({"securityContext": context})


def annotated(key: str, text: str) -> Document:
    return {**pod(), "metadata": {"name": "web", "annotations": {key: text}}}


SECCOMP, APPARMOR = (
    "container.seccomp.security.alpha.kubernetes.io/app",
    "container.apparmor.security.beta.kubernetes.io/app",
)


@pytest.mark.parametrize(
    "document",
    [
        own(seccompProfile=FILE),
        pod(securityContext={"seccompProfile": FILE}),
        annotated(SECCOMP, "localhost/audit/a.json"),
    ],
)
def test_a_seccomp_profile_is_a_file_of_the_node(document: Document) -> None:
    found = security(document)
    assert (found.seccomp, found.seccomp_file) == ("Localhost", "audit/a.json")


@pytest.mark.parametrize(
    "document",
    [
        own(appArmorProfile=LOADED),
        pod(securityContext={"appArmorProfile": LOADED}),
        annotated(APPARMOR, "localhost/deny-write"),
    ],
)
def test_an_apparmor_profile_is_one_of_the_kernel(document: Document) -> None:
    found = security(document)
    assert (found.app_armor, found.app_armor_profile) == ("Localhost", "deny-write")


def test_a_containers_own_wins_over_its_pods() -> None:
    document = pod(
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, securityContext={"seccompProfile": FILE}
    )
    assert (security(document).seccomp, security(document).seccomp_file) == ("Unconfined", "")


def test_a_privileged_container_is_not_confined() -> None:
    found = security(own(privileged=True, seccompProfile=FILE, appArmorProfile=LOADED))
    assert (found.seccomp, found.seccomp_file, found.app_armor_profile) == ("Unconfined", "", "")


DEFAULTS = {
    f"{C}.appArmorProfile.type": own(appArmorProfile={"type": "RuntimeDefault"}),
    f"{S}.appArmorProfile.type": pod(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}),
    f"metadata.annotations['{APPARMOR}']": annotated(APPARMOR, "runtime/default"),
}


@pytest.mark.parametrize(("place", "document"), DEFAULTS.items(), ids=["container", "pod", "annotation"])
def test_apparmors_default_is_the_profile_of_the_node(place: str, document: Document) -> None:
    with_profile = parse_launch(
        [task(document)], group=False, policy=Policy(has_app_armor=True, app_armor_profile="pods")
    )
    assert (with_profile.containers[0].security.app_armor, with_profile.without_effect) == ("RuntimeDefault", ())
    assert parse_launch([task(document)], group=False).without_effect == (place,), "the node has no AppArmor"
    with pytest.raises(InvalidTask, match="no AppArmor profile") as caught:
        parse_launch([task(document)], group=False, policy=Policy(has_app_armor=True))
    assert (caught.value.subject, "[pods] app_armor_profile" in caught.value.hint) == (place, True)


WRONG: dict[str, tuple[Document, str]] = {
    "no file": (own(seccompProfile={"type": "Localhost"}), f"{C}.seccompProfile.localhostProfile"),
    "no file, of the pod": (
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        f"{S}.seccompProfile.localhostProfile",
    ),
    "a file for another type": (
        own(seccompProfile={**FILE, "type": "RuntimeDefault"}),
        f"{C}.seccompProfile.localhostProfile",
    ),
    "a file that leads out": (
        own(seccompProfile={**FILE, "localhostProfile": "../x"}),
        f"{C}.seccompProfile.localhostProfile",
    ),
    "an absolute file": (
        own(seccompProfile={**FILE, "localhostProfile": "/x"}),
        f"{C}.seccompProfile.localhostProfile",
    ),
    "the directory": (
        own(seccompProfile={**FILE, "localhostProfile": "./."}),
        f"{C}.seccompProfile.localhostProfile",
    ),
    "no name": (own(appArmorProfile={"type": "Localhost"}), f"{C}.appArmorProfile.localhostProfile"),
    "a name with a line": (
        own(appArmorProfile={**LOADED, "localhostProfile": "a\nb"}),
        f"{C}.appArmorProfile.localhostProfile",
    ),
    "an annotation that leads out": (annotated(SECCOMP, "localhost/../x"), f"metadata.annotations['{SECCOMP}']"),
    "nothing after localhost": (annotated(APPARMOR, "localhost/"), f"metadata.annotations['{APPARMOR}']"),
}


@pytest.mark.parametrize(("document", "subject"), WRONG.values(), ids=WRONG)
def test_what_is_refused(document: Document, subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        security(document)
    assert caught.value.subject == subject
