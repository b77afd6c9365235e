"""Small conversions between protobuf messages and the adapter's own types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp

from executor.containerd.api import descriptor_pb2, mount_pb2
from executor.containerd.types import Descriptor, Mount

_OCI = "types.containerd.io/opencontainers/runtime-spec/1"
SPEC_TYPE = f"{_OCI}/Spec"
PROCESS_TYPE = f"{_OCI}/Process"
RESOURCES_TYPE = f"{_OCI}/LinuxResources"


def when(timestamp: Timestamp) -> datetime | None:
    """None for an unset time: protobuf's zero is 1970, Go's is the year 1."""
    return timestamp.ToDatetime(tzinfo=UTC) if timestamp.seconds > 0 else None


def document(type_url: str, value: Mapping[str, object] | bytes) -> AnyMessage:
    """An OCI document as containerd wants it: JSON under a type URL."""
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return AnyMessage(type_url=type_url, value=data)


def mounts(messages: Iterable[mount_pb2.Mount]) -> list[Mount]:
    """From the messages of the API."""
    return [Mount(type=m.type, source=m.source, options=tuple(m.options)) for m in messages]


def mount_messages(values: Iterable[Mount]) -> list[mount_pb2.Mount]:
    """To the messages of the API."""
    return [mount_pb2.Mount(type=m.type, source=m.source, options=m.options) for m in values]


def descriptor_message(value: Descriptor) -> descriptor_pb2.Descriptor:
    """To the message of the API."""
    return descriptor_pb2.Descriptor(media_type=value.media_type, digest=value.digest, size=value.size_bytes)


def quoted(value: str) -> str:
    """A string literal of containerd's filter language (package filters: as in Go)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def label_filter(labels: Mapping[str, str]) -> list[str]:
    """The filters argument of a List call for objects that carry all of `labels`; an empty value means any value."""
    terms = [f"labels.{quoted(k)}" + (f"=={quoted(v)}" if v else "") for k, v in sorted(labels.items())]
    return [",".join(terms)] if terms else []
