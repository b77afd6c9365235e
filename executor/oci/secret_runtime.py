"""The runtime of containers with secrets in their variables: runc, or another one of its commands, after their secrets
were put into the document.

containerd starts it as it starts runc. For `create` and `exec` it runs the container's script of sed (secret_words) on
the document, and runc reads the result, which is in memory only. Every other command is runc's.

Images and pods write a part of the document, so nothing in it decides what is done. The script is found by the id of
the container alone: `<volumes>/<executor>/<pod>/private/<container id>`. sed neither runs commands nor opens files
(`--sandbox`, GNU sed 4.3). A container whose script is gone does not run.
The program is a file of this node that stays: a container whose runtime is gone could not be ended.
Source: runc-create(8), runc-exec(8); containerd/go-runc, runc.go (the id is the last argument).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
from pathlib import Path
from typing import Final

from executor.errors import Failure, reason
from executor.volumes.pod_volumes import PRIVATE

DESCRIPTOR: Final = "/proc/self/fd/3"
"""Where runc finds the document of a further process, whose file has no name any more."""
_PROGRAM: Final = rf"""#!/bin/sh
# @runtime@, for containers with secrets in their variables. Made by mesos-pod-executor; do not remove while pods run.
set -eu
umask 077
volumes=@volumes@
previous= bundle= process= id=
for word in "$@"; do
    case $previous in
        --bundle) bundle=$word ;;
        --process) process=$word ;;
    esac
    previous=$word id=$word
done
[ -n "$bundle$process" ] || exec @runtime@ "$@"

script=
case $id in
    '' | *[!A-Za-z0-9._-]*) ;;
    *)
        for found in "$volumes"/*/*/{PRIVATE}/"$id"; do
            if [ -f "$found" ]; then script=$found; fi
        done
        ;;
esac
if [ -z "$script" ]; then
    echo "there are no secrets for the container '$id' below $volumes: its volumes were released" >&2
    exit 1
fi
if [ -n "$bundle" ]; then
    sed --sandbox -f "$script" "$bundle/config.json" > "$script.json"
    ln -sf "$script.json" "$bundle/config.json"
    exec @runtime@ "$@"
fi
filled=$(mktemp "$script.XXXXXX")
sed --sandbox -f "$script" "$process" > "$filled" || {{ rm "$filled"; exit 1; }}
exec 3< "$filled"
rm "$filled"
count=$#
while [ "$count" -gt 0 ]; do
    word=$1
    shift
    [ "$word" != "$process" ] || word={DESCRIPTOR}
    set -- "$@" "$word"
    count=$((count - 1))
done
exec @runtime@ "$@"
"""


def ensure(state_dir: Path, volumes_dir: Path, runtime: str = "runc") -> Path:
    """The program, made where it is missing; one with another content has another name. `volumes_dir` is where each
    executor has its pods' volumes. Raises Failure.
    """
    program = _PROGRAM.replace("@volumes@", shlex.quote(str(volumes_dir))).replace("@runtime@", shlex.quote(runtime))
    digest = hashlib.sha256(program.encode()).hexdigest()[:12]
    path = state_dir / "bin" / f"runc-with-secrets-{digest}"
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            scratch = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            scratch.write_text(program)
            scratch.chmod(0o755)
            os.replace(scratch, path)  # noqa: PTH105 in one step, another executor may do it too
    except OSError as error:
        raise Failure(reason(error), subject=str(path), hint="is [node] state_dir writable?") from error
    return path
