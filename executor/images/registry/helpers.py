"""Docker's credential helpers: programs of the operator that know this node's credentials of a registry. Blocking.

Source: github.com/docker/docker-credential-helpers, README, "Development"; docker's documentation of `docker login`,
"Credential helper protocol". Only the node's own config.json names helpers: that of a task runs no program here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any, Final

from executor import bounded_json
from executor.errors import Failure, reason
from executor.images.registry.credentials import Credential, canonical_host
from executor.images.registry.limits import deadline

LIMIT_S: Final = 10.0
ANSWER_MAX_BYTES: Final = 64 << 10
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DOCKER_HUB = "https://index.docker.io/v1/"
_NOT_FOUND = "credentials not found"
_TOKEN_USER = "<token>"  # noqa: S105 # says that the secret is an identity token


def ask(name: str, host: str, *, path: str = PATH, limit_s: float = LIMIT_S) -> Credential | None:
    """What docker-credential-NAME has for a registry; None if it has nothing. Raises Failure, never with a secret."""
    program = f"docker-credential-{name}"
    server = _DOCKER_HUB if canonical_host(host) == "docker.io" else host
    code, answer = _run(program, server.encode(), path, limit_s)
    if code and _NOT_FOUND in answer[:1000].decode(errors="replace").lower():
        return None
    try:
        value: Any = bounded_json.loads(answer, bounded_json.LINE) if not code else None
        user, secret = value["Username"], value["Secret"]
    except (ValueError, TypeError, KeyError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise Failure(f"gives no credentials for {host}: it ended with {code}", subject=program)
    if user == _TOKEN_USER:
        return Credential(host, identity_token=secret)
    return Credential(host, username=user, password=secret)


def _run(program: str, text: bytes, path: str, limit_s: float) -> tuple[int, bytes]:
    """The exit code and the beginning of the output; a program that takes longer is killed."""
    try:
        process = subprocess.Popen(
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as error:
        raise Failure(f"cannot be run: {reason(error)}", subject=program, hint="[images] docker_config") from error

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    assert process.stdin is not None and process.stdout is not None  # noqa: S101 # they are pipes
    with process, deadline(limit_s, kill) as over:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(text)
            process.stdin.close()
        answer = process.stdout.read(ANSWER_MAX_BYTES + 1)
        if len(answer) > ANSWER_MAX_BYTES:
            kill()
        code = process.wait()
    if over.is_set():
        raise Failure(f"did not answer within {limit_s:g} s", subject=program)
    return code, answer
