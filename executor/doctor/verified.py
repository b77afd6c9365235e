"""Whether the images of containers that are on the node would pass the operator's verifier now: one that came before
the verifier was configured, or by an import, was never asked about.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from executor.doctor.finding import Finding, passed, warned
from executor.errors import ContainerdFailure, ImageFailure
from executor.images.collection import look
from executor.images.pulling.verifier import verify

if TYPE_CHECKING:
    from executor.config.images import ImagesSection
    from executor.containerd import Containerd

MOST: Final = 50
_SHOWN: Final = 5
_CHECK: Final = "containerd.verified_images"


async def check(containerd: Containerd, section: ImagesSection) -> Finding:
    """Asks about MOST images at most."""
    if not section.verifier:
        return passed(_CHECK, "no verifier is configured: every image may be run")
    try:
        used = [each for each in await look(containerd) if each.in_use]
    except ContainerdFailure as error:
        return warned(_CHECK, f"images cannot be listed: {error}", "look at containerd")
    asked = used[:MOST]
    tries = (verify(section.verifier, each.name, each.digest, timeout_s=section.verifier_timeout_s) for each in asked)
    answers = await asyncio.gather(*tries, return_exceptions=True)
    refused = [str(each) for each in answers if isinstance(each, ImageFailure)]
    if refused:
        more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        hint = "end their pods, then: mesos-pod-executor images rm IMAGE"
        return warned(
            _CHECK, f"containers use images that the verifier refuses: {'; '.join(refused[:_SHOWN])}{more}", hint
        )
    left = f"; {len(used) - MOST} others were not asked about" if len(used) > MOST else ""
    return passed(_CHECK, f"the verifier allows the images in use ({len(asked)}){left}")
