"""`doctor` asks the operator's verifier about the images of containers that are there."""

from __future__ import annotations

import pytest

from tests.mesos.doctor.examination import examine
from tests.support.rig import IMAGE, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]


def test_images_that_the_verifier_was_never_asked_about(rig: Rig) -> None:
    """They came before it was configured; containers use them."""
    _, document = examine(rig, IMAGES_VERIFIER="/bin/false")
    (found,) = [each for each in document["checks"] if each["check"] == "containerd.verified_images"]
    assert found["verdict"] == "warn" and IMAGE in found["message"] and "images rm" in found["hint"]
    _, document = examine(rig, IMAGES_VERIFIER="/bin/true")
    (found,) = [each for each in document["checks"] if each["check"] == "containerd.verified_images"]
    assert (found["verdict"], found["message"]) == ("pass", "the verifier allows the images in use (1)")
