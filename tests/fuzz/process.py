"""The readers in processes of their own, which share what atheris has instrumented.

    python -m tests.fuzz.process --seconds N --directory DIR [TARGET...]    looks for findings in N seconds of each core
    python -m tests.fuzz.process --replay FILE TARGET                       reads an input, without instrumentation

A third of each target's time is for inputs of 1 MiB, made by repeating pieces of good ones; the rest is atheris's,
which follows the branches of our code. A finding is kept as DIR/TARGET-crash-DIGEST; DIR/TARGET.log has its traceback.
The corpus that atheris builds stays in DIR/TARGET/ for the next run. One line for each target is printed: its name and
the exit code of its process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

FOUND = Path(__file__).with_name("found")
"""A directory for each target."""
FINDING = 77
"""Exit code; libFuzzer's own."""
LARGEST = 64 << 10
"""Bytes of an input of atheris's."""
STRUCTURED = 0.7
"""How many of the changes to a JSON document are of its structure."""
ADDRESS_SPACE_BYTES = 4 << 30
HANGS_S = 120
"""After its time, a process that has not ended is killed."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.process")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args(arguments)
    if asked.replay:
        return replay(asked.targets[0], asked.replay)
    import atheris

    with atheris.instrument_imports(include=["executor", "cgroups"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS

    chosen = asked.targets or list(TARGETS)
    cores = len(os.sched_getaffinity(0))
    share_s = asked.seconds * cores / sum(TARGETS[name].weight for name in chosen)
    with ThreadPoolExecutor(cores) as pool:
        codes = pool.map(lambda name: child(name, share_s * TARGETS[name].weight, asked.directory), chosen)
        for name, code in zip(chosen, codes, strict=True):
            print(name, code, flush=True)
    return 0


def child(target: str, seconds: float, directory: Path) -> int:
    """The exit code of a fork of this process that searches; its output is in the directory."""
    with (directory / f"{target}.log").open("wb") as log:
        pid = os.fork()
        if pid == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            _search_and_exit(target, seconds, directory)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _search_and_exit(target: str, seconds: float, directory: Path) -> NoReturn:
    code = FINDING
    try:
        signal.alarm(int(seconds + HANGS_S))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
        code = search(target, seconds, directory)
    except BaseException:  # noqa: BLE001 # of whatever kind: it must not return to the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def replay(target: str, file: Path) -> int:
    """Raises what the reader raises."""
    from tests.fuzz.limits import within
    from tests.fuzz.targets import TARGETS

    within(TARGETS[target].read, file.read_bytes())
    print(f"{target}: {file.name}: read without a finding")
    return 0


def known(target: str) -> list[Path]:
    """Inputs that broke this reader once."""
    return sorted((FOUND / target).glob("*"))


def search(name: str, seconds: float, directory: Path) -> int:
    """One target, in a process of its own. Raises what a reader raises, or SystemExit."""
    import atheris

    from tests.fuzz import limits, targets
    from tests.fuzz.mutation import changed, stretched

    target = targets.TARGETS[name]
    good = [*target.seeds(), *(path.read_bytes() for path in known(name))]

    def one(data: bytes) -> None:
        try:
            limits.within(target.read, data, cpu_s=limits.CPU_S * limits.INSTRUMENTED)
        except BaseException:  # of any kind: it is kept, whatever becomes of this process
            (directory / f"{name}-crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)
            raise

    begun_s = time.monotonic()
    for path in known(name):
        one(path.read_bytes())
    chance = random.Random(time.time_ns())
    while time.monotonic() - begun_s < seconds / 3:
        large = stretched(chance.choice(good), chance)
        one(large)
    corpus = directory / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in good:
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    donors = [found for data in good if target.is_json and isinstance(found := _document(data), dict | list) and found]

    def mutate(data: bytes, size: int, at: int) -> bytes:
        if donors and random.Random(at).random() < STRUCTURED:
            made = changed(data, size, at, donors)
            if made is not None:
                return made
        return bytes(atheris.Mutate(data, size))

    left_s = max(1, int(seconds - (time.monotonic() - begun_s)))
    options = [
        f"-max_total_time={left_s}",
        f"-max_len={LARGEST}",
        f"-artifact_prefix={directory}/{name}-",
        "-len_control=0",
        "-timeout=30",
        "-rss_limit_mb=2048",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
