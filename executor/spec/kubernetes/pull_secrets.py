"""imagePullSecrets: the credentials of the Secrets that a pod names. Pure.

As for the kubelet, a Secret that is not there, or of another type, is no reason to refuse the pod: another credential
may do, or none. It is reported as a field without effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from executor.errors import InvalidConfig, InvalidTask
from executor.images.registry.credentials import Credential, parse_docker_config
from executor.spec.kubernetes.pod_documents import LocalReference
from executor.spec.objects import KeyedData, Objects

KEYS: Final = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
"""The key of each type that has credentials (Kubernetes, "Secrets", "Docker config Secrets")."""


@dataclass(frozen=True)
class PullSecrets:
    credentials: tuple[Credential, ...] = ()
    without_effect: tuple[str, ...] = ()


def read(references: Sequence[LocalReference], objects: Objects) -> PullSecrets:
    """Raises InvalidTask for a Secret whose credentials cannot be read; never with a part of them."""
    credentials: list[Credential] = []
    unused: list[str] = []
    for index, reference in enumerate(references):
        path = f"spec.imagePullSecrets[{index}]"
        secret = objects.secrets.get(reference.name)
        text = None if secret is None else _text(secret)
        if text is None:
            unused.append(path)
        else:
            credentials += _parsed(text, path)
    return PullSecrets(tuple(credentials), tuple(unused))


def _text(secret: KeyedData) -> bytes | None:
    key = KEYS.get(secret.type)
    return None if key is None else secret.values.get(key)


def _parsed(text: bytes, path: str) -> tuple[Credential, ...]:
    try:
        return parse_docker_config(text, subject=path)
    except InvalidConfig as error:  # its message has no part of the secret
        raise InvalidTask(error.message, subject=error.subject) from None
