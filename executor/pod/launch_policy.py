"""What a node decides for the pods that are launched on it, from its configuration and its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.oci import local_profiles
from executor.spec.model import Policy

if TYPE_CHECKING:
    from executor.config.pods import PodsSection


def of(pods: PodsSection) -> Policy:
    """What the reading of a launch must know of this node. Reads a file of the kernel: whether it has AppArmor."""
    return Policy(
        pods.default_image,
        pods.termination_grace_s,
        runtime_classes=pods.runtime_classes,
        has_app_armor=local_profiles.has_app_armor(),
        app_armor_profile=pods.app_armor_profile,
    )
