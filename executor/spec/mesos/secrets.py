"""Secrets that a Mesos task brings with it. Pure. No message has a part of one."""

from __future__ import annotations

import base64
import binascii

from executor.errors import InvalidTask
from executor.spec.mesos.message import Secret


def content(secret: Secret, path: str) -> bytes:
    """Raises InvalidTask."""
    subject = f"{path}.value.data"
    if secret.value is None:
        raise InvalidTask("is missing", subject=subject)
    try:
        return base64.b64decode(secret.value.data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidTask("is no base64", subject=subject) from None


def text(secret: Secret, path: str) -> str:
    """As a variable can have it. Raises InvalidTask."""
    try:
        found = content(secret, path).decode()
    except UnicodeDecodeError:
        found = "\0"
    if "\0" in found:
        hint = "mount it as a volume"
        raise InvalidTask("is not text without zero bytes", subject=f"{path}.value.data", hint=hint) from None
    return found
