"""Keeps secrets out of the OCI document that containerd has in its database. Pure.

containerd writes a container's document to disk. So the variables of a container that has secrets become one mark, and
so do its arguments: `mesos-pod-executor-secret:NONCE:FIELD`. A script of sed, in memory, puts the words back;
secret_runtime.py runs it before runc reads the document. No image and no pod knows the nonce, so a mark that one of
them writes is plain text.

A field is hidden as a whole: to look for thousands of secrets in thousands of words, and to have sed do so again, took
half a minute, in which the executor answered nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from executor.spec.model import ContainerSpec, TakenText

MARK: Final = "mesos-pod-executor-secret"
_FIELDS: Final = ("env", "args")
_REPLACEMENT: Final = str.maketrans({letter: f"\\{letter}" for letter in "\\|&"})
"""What sed reads in the second part of `s|...|...|`, but for line breaks, which JSON in ASCII does not have."""


def has_secrets(container: ContainerSpec) -> bool:
    """Whether its variables take texts from Secrets; where `$(NAME)` is filled in, they are in its arguments too."""
    return any(isinstance(value, TakenText) and value.secret and value.text for _, value in container.env)


def hide(document: Mapping[str, Any], nonce: str) -> tuple[dict[str, Any], str]:
    """The document without the variables and arguments of its process, and the script that puts them back. `nonce` is
    hexadecimal, and new for each document.
    """
    process, script = dict(document["process"]), ""
    for field in _FIELDS:
        mark = f"{MARK}:{nonce}:{field}"
        words = json.dumps(list(process[field]))[1:-1]
        script += f's|"{mark}"|{words.translate(_REPLACEMENT)}|\n'
        process[field] = [mark]
    return {**document, "process": process}, script
