"""The runtime of containers with secrets in their variables: runc, after their secrets were put into the document.

containerd starts it as it starts runc. Where the document of `create`, or of `exec`, has a mark of `secret_words`, it
writes the document with the secrets beside them, into memory, and runc reads that one. Everything else is runc's.
It is a file of this node that stays: a container whose runtime is gone could not be ended.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from executor.errors import Failure, reason
from executor.oci.secret_words import MARK

SCRIPT: Final = rf"""#!/bin/sh
# runc, for containers with secrets in their variables. Made by mesos-pod-executor; do not remove while pods run.
set -eu
previous= document= wanted=
for word in "$@"; do
    case $previous in
        --bundle) document=$word/config.json wanted=bundle ;;
        --process) document=$word wanted=process ;;
    esac
    previous=$word
done
if [ -n "$document" ] && grep -q '"{MARK}:' "$document"; then
    script=$(sed -n 's|.*"{MARK}:\([^":]*\):[0-9]*".*|\1|p;q' "$document")
    if [ $wanted = bundle ]; then
        (umask 077 && sed -f "$script" "$document" > "$script.json")
        ln -sf "$script.json" "$document"
    else
        filled=$(mktemp "$script.XXXXXX")
        sed -f "$script" "$document" > "$filled"
        count=$#
        while [ "$count" -gt 0 ]; do
            word=$1
            shift
            [ "$word" != "$document" ] || word=$filled
            set -- "$@" "$word"
            count=$((count - 1))
        done
        runc "$@" && code=0 || code=$?
        rm -f "$filled"
        exit $code
    fi
fi
exec runc "$@"
"""


def ensure(state_dir: Path) -> Path:
    """The program, made where it is missing; a new version has a name of its own. Raises Failure."""
    digest = hashlib.sha256(SCRIPT.encode()).hexdigest()[:12]
    path = state_dir / "bin" / f"runc-with-secrets-{digest}"
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            scratch = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            scratch.write_text(SCRIPT)
            scratch.chmod(0o755)
            os.replace(scratch, path)  # noqa: PTH105 in one step, whoever else does it too
    except OSError as error:
        raise Failure(reason(error), subject=str(path), hint="is [node] state_dir writable?") from error
    return path
