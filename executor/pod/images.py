"""The images of one pod's containers: on the node before its launch begins, however long that takes.

Nothing of the pod exists meanwhile, and [pods] start_timeout_s does not run. A pod that is ended while it waits leaves
its pulls to the next one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from executor.concurrency import patiently, together
from executor.images.images import TOUCH_S
from executor.images.model import NODE, NODE_ROOT
from executor.images.policy import PullPolicy

if TYPE_CHECKING:
    from executor.images.images import Images, Pulling
    from executor.images.model import Image
    from executor.log import Logger
    from executor.spec.model import ContainerSpec, PodSpec

PASSES_MAX: Final = 3
"""How often images are looked up again after a wait: a disk that is too full may lose one for each that comes."""


class PodImages:
    """`patience_s` is how long containerd may be away."""

    def __init__(self, images: Images, spec: PodSpec, log: Logger, *, patience_s: float) -> None:
        self._images = images
        self._spec = spec
        self._log = log
        self._patience_s = patience_s
        self._found: dict[str, Image] = {}
        self._waiting: dict[str, Pulling] = {}
        self._waited = False

    @property
    def waiting(self) -> tuple[Pulling, ...]:
        """What the pod waits for now."""
        return tuple(self._waiting.values())

    async def pull(self) -> None:
        """Every image of the pod by its policy. Raises ImageFailure, ContainerdFailure.

        An image may be removed while the pod waits for another one: after a wait all of them are looked up again.
        """
        wanted = {(each.image, each.pull_policy): each for each in self._spec.containers}
        keeping = asyncio.create_task(self._keep())
        try:
            await together(*(self._ensure(each, each.pull_policy) for each in wanted.values()))
            for _ in range(PASSES_MAX):
                if not self._waited:
                    break
                self._waited = False
                await together(*(self._ensure(each, _later(each)) for each in wanted.values()))
        finally:
            keeping.cancel()

    async def _keep(self) -> None:
        """Spares the images that are here from a collection while the pod waits for others."""
        while True:
            await asyncio.sleep(TOUCH_S)
            for image in self._found.values():
                if not image.is_node:
                    self._images.used(image)

    async def take(self, container: ContainerSpec) -> Image:
        """The image of a container that is made: what `pull` found, for its first run. A later call takes what its name
        means then, and asks the registry only if that is not here. Raises ImageFailure, ContainerdFailure.
        """
        if container.name in self._found:
            return self._found.pop(container.name)
        await self._ensure(container, _later(container))
        return self._found.pop(container.name)

    async def _ensure(self, container: ContainerSpec, policy: PullPolicy | None) -> None:
        if container.image == NODE_ROOT:
            self._found.update((each.name, NODE) for each in self._spec.containers if each.image == NODE_ROOT)
            return

        def waits(pulling: Pulling | None) -> None:
            if pulling is None:
                self._waiting.pop(container.image, None)
            else:
                self._waited = True
                self._waiting[container.image] = pulling
                self._log.info("waits for an image", code="pod.pulling", image=container.image)

        async def ensured() -> Image:
            credentials = self._spec.pull_credentials
            return await self._images.ensure(container.image, policy, credentials, waits=waits)

        image = await patiently(ensured, patience_s=self._patience_s)
        same = (each for each in self._spec.containers if each.image == container.image)
        self._found.update((each.name, image) for each in same)


def _later(container: ContainerSpec) -> PullPolicy:
    """For an image that was there before."""
    return PullPolicy.NEVER if container.pull_policy is PullPolicy.NEVER else PullPolicy.IF_NOT_PRESENT
