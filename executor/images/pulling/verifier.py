"""The operator's verifier: a program that allows an image (exit code 0) or refuses it, before its layers are fetched.

Its last two arguments are the image's name and digest. What it prints is the reason of a refusal. A program that cannot
be run, or does not end in time, refuses the image too. The verifier ends with the process that runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Sequence
from typing import Final

from executor.errors import ImageFailure, reason

SAID_MAX: Final = 2000
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running: set[int] = set()


class VerificationRefused(ImageFailure):
    """The operator's program does not allow the image."""


async def verify(program: Sequence[str], name: str, digest: str, *, timeout_s: float) -> None:
    """Raises VerificationRefused."""
    if not program:
        return
    subject = f"image {name}"
    try:
        process = await asyncio.create_subprocess_exec(
            *program,
            name,
            digest,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_ENVIRONMENT,
            start_new_session=True,
            preexec_fn=_end_with_the_parent,
        )
    except OSError as error:
        message = f"cannot be verified: {program[0]}: {reason(error)}"
        raise VerificationRefused(message, subject=subject, hint="[images] verifier") from error
    _running.add(process.pid)
    try:
        async with asyncio.timeout(timeout_s):
            said = await _said(process)
            code = await process.wait()
    except TimeoutError as error:
        message = f"cannot be verified: {program[0]} did not end within {timeout_s:g} s"
        raise VerificationRefused(message, subject=subject, hint="[images] verifier_timeout_s") from error
    finally:
        _end(process.pid)
        _running.discard(process.pid)
        await process.wait()
    if code:
        words = " ".join(said.decode(errors="replace").split())[:SAID_MAX]
        message = f"is not allowed on this node: {words or f'{program[0]} ended with {code}'}"
        raise VerificationRefused(message, subject=subject, hint="the operator's [images] verifier decides this")


def end_all() -> None:
    """End the verifiers of this process with all processes that they have started."""
    for group in tuple(_running):
        _end(group)


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _end_with_the_parent() -> None:
    """In the child before the program: the kernel ends it if its parent is killed (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


async def _said(process: asyncio.subprocess.Process) -> bytes:
    """The beginning of what it prints; the rest is read and dropped, so that it does not wait for a reader."""
    said = bytearray()
    assert process.stdout is not None  # noqa: S101 # it is a pipe
    while data := await process.stdout.read(4096):
        said += data[: SAID_MAX - len(said)]
    return bytes(said)
