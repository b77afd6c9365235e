"""Keeps secrets out of the OCI document that containerd has in its database. Pure.

containerd writes a container's document to disk. So each variable and argument in which a secret is becomes a mark,
`mesos-pod-executor-secret:NONCE:NUMBER`. A script of sed, in memory, puts the words back; secret_runtime.py runs it
before runc reads the document. No image and no pod knows the nonce, so a mark that one of them writes is plain text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from executor.spec.model import ContainerSpec, TakenText

MARK: Final = "mesos-pod-executor-secret"
_FIELDS: Final = ("env", "args")
_PATTERN: Final = r"\|.*[]^$"
_REPLACEMENT: Final = r"\|&"
"""What sed reads on either side of `s|...|...|`, but for line breaks."""


def of(container: ContainerSpec) -> frozenset[str]:
    """The texts that its variables take from Secrets; where `$(NAME)` is filled in, they are in other texts too."""
    values = (value for _, value in container.env if isinstance(value, TakenText))
    return frozenset(value.text for value in values if value.secret and value.text)


def hide(document: Mapping[str, Any], secrets: Collection[str], nonce: str) -> tuple[dict[str, Any], str]:
    """The document without the secrets in its process, and the script that puts them back; empty where there is none.
    `nonce` is hexadecimal, and new for each document.
    """
    process, commands = dict(document["process"]), list[str]()
    for field in _FIELDS:
        process[field] = list(_hidden(process[field], secrets, nonce, commands))
    return {**document, "process": process}, "".join(f"{command}\n" for command in commands)


def _hidden(words: Collection[str], secrets: Collection[str], nonce: str, commands: list[str]) -> Iterator[str]:
    for word in words:
        if not any(secret in word for secret in secrets):
            yield word
            continue
        mark = f"{MARK}:{nonce}:{len(commands)}"
        commands.append(f"s|{_escaped(json.dumps(mark), _PATTERN)}|{_escaped(json.dumps(word), _REPLACEMENT)}|")
        yield mark


def _escaped(text: str, special: str) -> str:
    """JSON in ASCII has no line breaks."""
    return "".join(f"\\{char}" if char in special else char for char in text)
