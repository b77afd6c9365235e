"""What a pod says of the disk that it may use: quantities of ephemeral-storage and sizeLimit."""

from __future__ import annotations

from executor.spec.volume_model import EmptyDir
from tests.unit.pod.samples import pod, scalar
from tests.unit.spec.kubernetes.test_pod import parse, refusal


def test_a_request_above_its_limit_and_what_is_no_quantity_are_refused() -> None:
    above = {"limits": {"ephemeral-storage": "1Gi"}, "requests": {"ephemeral-storage": "2Gi"}}
    error = refusal(pod({"resources": above}))
    assert error.subject == "spec.containers[0].resources.requests.ephemeral-storage"
    assert "more than its limit" in str(error)
    error = refusal(pod({"resources": {"limits": {"ephemeral-storage": "much"}}}))
    assert error.subject == "spec.containers[0].resources.limits.ephemeral-storage" and "quantity" in str(error)


def test_ephemeral_storage_is_held_against_the_tasks_disk_only_if_it_has_one() -> None:
    asking = pod({"resources": {"requests": {"ephemeral-storage": "2Gi"}, "limits": {"ephemeral-storage": "4Gi"}}})
    without = [scalar("cpus", 1), scalar("mem", 128)]
    (container,) = parse(asking, resources=without).containers
    assert (container.requests.ephemeral_bytes, container.limits.ephemeral_bytes) == (2 << 30, 4 << 30)
    error = refusal(asking, resources=[*without, scalar("disk", 1024)])
    assert error.subject == "spec.containers" and "ephemeral-storage requests are 2147483648 bytes" in str(error)
    enough = parse(asking, resources=[*without, scalar("disk", 3072)])
    assert enough.resources.disk_bytes == 3 << 30, "a limit above it is no promise: the lower one counts"


def test_a_limit_of_zero_is_none_as_in_kubernetes() -> None:
    (container,) = parse(pod({"resources": {"limits": {"ephemeral-storage": 0}}})).containers
    assert container.limits.ephemeral_bytes is None
    listed = [{"name": "v", "emptyDir": {"sizeLimit": "0"}}]
    assert parse(pod(volumes=listed)).empty_dirs == (EmptyDir("v"),)
