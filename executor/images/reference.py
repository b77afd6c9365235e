"""Image names: how people write them and how they are stored. Pure.

Source: the normalisation of github.com/distribution/reference, which docker, containerd's CRI and podman share.
"""

from __future__ import annotations

_DEFAULT_DOMAIN = "docker.io"
_DEFAULT_FOLDER = "library"


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


def is_full(name: str) -> bool:
    """Whether a name out of an archive is a whole image name and not only a tag."""
    return bool(name) and (":" in name or "/" in name)


def _is_domain(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()


def _has_version(rest: str) -> bool:
    return "@" in rest or ":" in rest.rpartition("/")[2]
