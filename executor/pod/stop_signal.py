"""The signal that asks a container to stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from executor.log import get_logger
from executor.spec import signals

if TYPE_CHECKING:
    from executor.spec.model import ContainerSpec

log = get_logger(__name__)


def stop_signal(container: ContainerSpec, of_image: str) -> int:
    """The container's own, else the image's STOPSIGNAL, else SIGTERM. One of an image that cannot be read is logged."""
    if container.stop_signal is not None:
        return container.stop_signal
    if not of_image:
        return signal.SIGTERM
    try:
        return signals.number(of_image)
    except ValueError as error:
        log.warning(
            "an image's STOPSIGNAL cannot be read: SIGTERM is sent",
            code="pod.stop_signal_unknown",
            container=container.name,
            error=f"image {container.image}: {error}",
        )
        return signal.SIGTERM
