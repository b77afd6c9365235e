"""What the executor and the helper of a pull say to each other: JSON lines. Pure.

The request goes by the helper's standard input, for it holds secrets: neither the command line nor the environment of
a process is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from executor import bounded_json
from executor.errors import ContainerdUnavailable, ExecutorError, Failure, ImageFailure
from executor.images.failures import PullFailure
from executor.images.registry.credentials import Credential

REQUEST: Final = bounded_json.Bounds(4 << 20)
EVENT: Final = bounded_json.LINE


@dataclass(frozen=True)
class Settings:
    """What of the configuration concerns a pull."""

    address: str
    """containerd's socket."""
    namespace: str
    run_dir: str
    hosts_dir: str
    docker_config: str
    plain_http: tuple[str, ...] = ()
    http_proxy: str = ""
    https_proxy: str = ""
    proxy_credential_file: str = ""
    no_proxy: tuple[str, ...] = ()
    parallel_layers: int = 3
    verifier: tuple[str, ...] = ()
    verifier_timeout_s: float = 10.0
    content_dir: str = ""
    reserve_percent: float = 0.0


@dataclass(frozen=True)
class Request:
    """`missing_only`: nothing is fetched if the image is here, such as after a pull of another process."""

    name: str
    settings: Settings
    credentials: tuple[Credential, ...] = field(default=(), repr=False)
    missing_only: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a pull is. `phase` is waiting, resolving, downloading, unpacking or done."""

    phase: str = "resolving"
    digest: str = ""
    layers: int = 0
    layers_done: int = 0
    bytes: int = 0
    """Fetched or found on this node."""
    total_bytes: int = 0
    fetched_bytes: int = 0
    """By this pull, over the network."""


def encode_request(request: Request) -> bytes:
    """One line of JSON, without its end."""
    return json.dumps(asdict(request)).encode()


def decode_request(data: bytes) -> Request:
    """Raises ValueError."""
    value = bounded_json.loads(data, REQUEST)
    settings = value["settings"]
    for key in ("plain_http", "no_proxy", "verifier"):
        settings[key] = tuple(settings[key])
    credentials = tuple(Credential(**each) for each in value["credentials"])
    return Request(value["name"], Settings(**settings), credentials, value["missing_only"])


def encode_progress(progress: Progress) -> bytes:
    """One line of JSON."""
    return json.dumps({"progress": asdict(progress)}).encode() + b"\n"


def encode_failure(error: ExecutorError) -> bytes:
    """One line of JSON. A subclass is sent as the kind that the executor tells apart."""
    kinds = (PullFailure, ImageFailure, ContainerdUnavailable)
    kind = next((each.__name__ for each in kinds if isinstance(error, each)), "Failure")
    value: dict[str, Any] = {"kind": kind, "message": error.message, "subject": error.subject, "hint": error.hint}
    if isinstance(error, PullFailure):
        value |= {"retry_after_s": error.retry_after_s, "status": error.status, "lasting": error.is_lasting}
    return json.dumps({"failure": value}).encode() + b"\n"


def decode_event(line: bytes) -> Progress | ExecutorError:
    """Raises ValueError."""
    value = bounded_json.loads(line, EVENT)
    if isinstance(value, dict) and isinstance(value.get("progress"), dict):
        try:
            return Progress(**value["progress"])
        except TypeError as error:
            raise ValueError("progress with other fields") from error
    if isinstance(value, dict) and isinstance(value.get("failure"), dict):
        return _failure(value["failure"])
    raise ValueError("neither progress nor failure")


def _failure(value: Mapping[str, Any]) -> ExecutorError:
    text = {key: str(value.get(key, "")) for key in ("message", "subject", "hint")}
    message, subject, hint = text["message"], text["subject"], text["hint"]
    match value.get("kind"):
        case "PullFailure":
            return PullFailure(
                message,
                subject=subject,
                hint=hint,
                retry_after_s=float(value.get("retry_after_s", 0)),
                status=int(value.get("status", 0)),
                lasting=bool(value.get("lasting")),
            )
        case "ImageFailure":
            return ImageFailure(message, subject=subject, hint=hint)
        case "ContainerdUnavailable":
            return ContainerdUnavailable(message, subject=subject, hint=hint)
        case _:
            return Failure(message, subject=subject, hint=hint)
