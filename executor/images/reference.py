"""Image names: how people write them, how they are stored, and what their parts are. Pure.

Source: the grammar and the normalisation of github.com/distribution/reference, which docker, containerd's CRI and
podman share; the names of images in Kubernetes (documentation, "Images").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from executor.errors import ImageFailure

_DEFAULT_DOMAIN = "docker.io"
_DEFAULT_FOLDER = "library"
NAME_MAX = 255
"""Letters of a repository's name with its registry."""
DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Reference:
    """An image of a registry. `tag` or `digest` may be empty, not both; with both the digest decides."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Registry and path."""
        return f"{self.domain}/{self.path}"

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest where there is one, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def parse(name: str) -> Reference:
    """The parts of a familiar or full name. ImageFailure if it is none."""
    full = normalise(name)
    rest, at, digest = full.partition("@")
    domain, _, path = rest.partition("/")
    path, tag = _split_tag(path)
    if at and not DIGEST.fullmatch(digest):
        raise _invalid(name, "what follows @ is not a digest: sha256: and 64 hexadecimal digits in small letters")
    if not DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path) or len(domain) + 1 + len(path) > NAME_MAX:
        hint = f"it is REGISTRY/PATH in small letters, {NAME_MAX} letters at most"
        raise _invalid(name, f"it names no repository: {hint}")
    if not digest and not tag:
        raise _invalid(name, "its tag is empty")
    if tag and not _TAG.fullmatch(tag):
        raise _invalid(name, "its tag has other letters than A-Z a-z 0-9 _ . -, or more than 128")
    return Reference(domain, path, tag, digest)


def normalise(name: str) -> str:
    """The full form of a familiar name: `busybox` is `docker.io/library/busybox:latest`."""
    domain, slash, rest = name.partition("/")
    if not slash or not _is_domain(domain):
        domain, rest = _DEFAULT_DOMAIN, name
    if domain == "index.docker.io":
        domain = _DEFAULT_DOMAIN
    if domain == _DEFAULT_DOMAIN and "/" not in rest:
        rest = f"{_DEFAULT_FOLDER}/{rest}"
    return f"{domain}/{rest}" if _has_version(rest) else f"{domain}/{rest}:latest"


def candidates(name: str) -> tuple[str, ...]:
    """Names to look an image up by, in order: as it was written, then in full."""
    full = normalise(name)
    return (name,) if full == name else (name, full)


def digest_of(name: str) -> str:
    """The digest that a name demands; empty for a name without one."""
    digest = name.rpartition("@")[2] if "@" in name else ""
    return digest if DIGEST.fullmatch(digest) else ""


def is_full(name: str) -> bool:
    """Whether a name out of an archive is a whole image name and not only a tag."""
    return bool(name) and (":" in name or "/" in name)


def _split_tag(path: str) -> tuple[str, str]:
    folder, slash, last = path.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{folder}{slash}{last}", tag


def _is_domain(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()


def _has_version(rest: str) -> bool:
    return "@" in rest or ":" in rest.rpartition("/")[2]


def _invalid(name: str, problem: str) -> ImageFailure:
    return ImageFailure(f"is not a name of an image: {problem}", subject=f"image {name}")
