"""The images of one pod's containers: on the node before its launch begins, however long that takes.

Nothing of the pod exists meanwhile, and [pods] start_timeout_s does not run. A pod that is ended while it waits leaves
its pulls to the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.concurrency import patiently, together
from executor.images.policy import PullPolicy

if TYPE_CHECKING:
    from executor.images.images import Images, Pulling
    from executor.images.model import Image
    from executor.log import Logger
    from executor.spec.model import ContainerSpec, PodSpec


class PodImages:
    """`patience_s` is how long containerd may be away."""

    def __init__(self, images: Images, spec: PodSpec, log: Logger, *, patience_s: float) -> None:
        self._images = images
        self._spec = spec
        self._log = log
        self._patience_s = patience_s
        self._found: dict[str, Image] = {}
        self._waiting: dict[str, Pulling] = {}

    @property
    def waiting(self) -> tuple[Pulling, ...]:
        """What the pod waits for now."""
        return tuple(self._waiting.values())

    async def pull(self) -> None:
        """Every image of the pod by its policy. Raises ImageFailure, ContainerdFailure."""
        wanted = {(each.image, each.pull_policy): each for each in self._spec.containers}
        await together(*(self._ensure(each, each.pull_policy) for each in wanted.values()))

    async def take(self, container: ContainerSpec) -> Image:
        """Of a container that is made: what `pull` found, for its first run. A later one takes what its name means
        then, and asks the registry only if that is not here. Raises ImageFailure, ContainerdFailure.
        """
        if container.name in self._found:
            return self._found.pop(container.name)
        policy = PullPolicy.NEVER if container.pull_policy is PullPolicy.NEVER else PullPolicy.IF_NOT_PRESENT
        await self._ensure(container, policy)
        return self._found.pop(container.name)

    async def _ensure(self, container: ContainerSpec, policy: PullPolicy | None) -> None:
        def waits(pulling: Pulling | None) -> None:
            if pulling is None:
                self._waiting.pop(container.image, None)
            else:
                self._waiting[container.image] = pulling
                self._log.info("waits for an image", code="pod.pulling", image=container.image)

        async def ensured() -> Image:
            credentials = self._spec.pull_credentials
            return await self._images.ensure(container.image, policy, credentials, waits=waits)

        image = await patiently(ensured, patience_s=self._patience_s)
        same = (each for each in self._spec.containers if each.image == container.image)
        self._found.update((each.name, image) for each in same)
