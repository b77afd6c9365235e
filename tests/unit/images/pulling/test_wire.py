"""What the executor and the helper of a pull say to each other."""

from __future__ import annotations

import pytest

from executor.errors import ContainerdUnavailable, ExecutorError, Failure, ImageFailure, NotFound
from executor.images.failures import PullFailure
from executor.images.pulling import wire
from executor.images.registry.credentials import Credential

SETTINGS = wire.Settings("/run/c.sock", "pods", "/run/x", "/etc/certs.d", "/root/c.json", plain_http=("r:5000",))


def test_a_request_comes_as_it_was_sent() -> None:
    request = wire.Request("r/a:1", SETTINGS, (Credential("r", "a", "u", "p", "t"),), missing_only=True)

    assert wire.decode_request(wire.encode_request(request)) == request
    assert "'p'" not in repr(request)


def test_progress_comes_as_it_was_sent() -> None:
    progress = wire.Progress("downloading", "sha256:1", 3, 1, 10, 20, 5)

    assert wire.decode_event(wire.encode_progress(progress)) == progress


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PullFailure("m", subject="s", hint="h", retry_after_s=3, status=429), PullFailure),
        (PullFailure("m", subject="s", hint="h", status=404, lasting=True), PullFailure),
        (ImageFailure("m", subject="s", hint="h"), ImageFailure),
        (ContainerdUnavailable("m", subject="s", hint="h"), ContainerdUnavailable),
        (NotFound("m", subject="s", hint="h"), Failure),
    ],
)
def test_a_failure_keeps_its_kind_and_words(error: ExecutorError, kind: type[ExecutorError]) -> None:
    found = wire.decode_event(wire.encode_failure(error))

    assert type(found) is kind
    assert str(found) == str(error)
    if isinstance(error, PullFailure) and isinstance(found, PullFailure):
        told = (found.retry_after_s, found.status, found.is_lasting)
        assert told == (error.retry_after_s, error.status, error.is_lasting)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"progress": {"x": 1}}', b'{"failure": 1}', b"[" * 1000])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.decode_event(line)
