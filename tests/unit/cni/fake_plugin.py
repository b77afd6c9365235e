"""A CNI plugin that records how it was called and does what it is told. Copied to the name of the plugin that it
plays.

`<name>.steps.json` beside it maps a CNI command to a list of steps, one a call, the last one for all further calls.
Without it: VERSION lists every version, ADD prints the previous result or a small one, all else succeeds. Calls are
appended to `calls.jsonl`.
"""

from __future__ import annotations

import _json  # what json is made of: json itself loads regular expressions
import fcntl
import os
import sys
import time

TYPE_CHECKING = False  # json, typing, pathlib and subprocess would double the time to start
if TYPE_CHECKING:
    from typing import Any

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
DIRECTORY, ME = os.path.split(sys.argv[0])


class Form:
    """How json reads."""

    strict, memo = True, dict[str, str]()
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def loads(text: str) -> Any:
    return _json.make_scanner(Form)(text.strip(), 0)[0]  # type: ignore[arg-type] # the stubs want a JSONDecoder


def dumps(value: object) -> str:
    """As json writes."""
    return "".join(
        _json.make_encoder(None, str, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True)(value, 0)
    )


def main() -> int:
    text = sys.stdin.read()
    config = loads(text) if text else {}
    command = os.environ.get("CNI_COMMAND", "")
    step = next_step(command)
    record(command, config)
    play(step)
    versions = step.get("supported", VERSIONS)
    if command == "VERSION":
        return finish(step.get("result", {"cniVersion": "1.0.0", "supportedVersions": versions}))
    if config.get("cniVersion") not in versions:
        return fail(
            {"cniVersion": versions[-1], "code": 1, "msg": "incompatible CNI versions", "details": str(versions)}
        )
    if command != "ADD":
        return 0
    return finish(step.get("result") or config.get("prevResult") or small_result(config["cniVersion"]))


def next_step(command: str) -> dict[str, Any]:
    steps: list[dict[str, Any]] = loads(beside(f"{ME}.steps.json") or "{}").get(command, [])
    calls = [loads(line) for line in beside("calls.jsonl").splitlines()]
    made = sum(1 for each in calls if (each["plugin"], each["command"]) == (ME, command))
    return steps[min(made, len(steps) - 1)] if steps else {}


def beside(name: str) -> str:
    try:
        with open(f"{DIRECTORY}/{name}") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        return ""


def record(command: str, config: dict[str, Any]) -> None:
    line = {"plugin": ME, "command": command, "environ": dict(os.environ), "config": config, "pid": os.getpid()}
    with open(f"{DIRECTORY}/calls.jsonl", "a") as log:  # noqa: PTH123
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(dumps(line) + "\n")


def play(step: dict[str, Any]) -> None:
    if "sleep" in step:
        time.sleep(step["sleep"])
    if "child" in step:  # an IPAM plugin, as seen from outside; it keeps stdout open
        start_child(daemon=step["child"] == "daemon")
    if step.get("hang"):
        time.sleep(60)
    if step.get("killed"):
        os.kill(os.getpid(), 9)
    if "flood" in step:
        sys.stdout.write("x" * step["flood"])
    if "stderr" in step:
        sys.stderr.write(step["stderr"])
    if "raw" in step:
        sys.stdout.write(step["raw"])
        leave(step.get("exit", 0))
    if "error" in step:
        leave(fail(step["error"]))
    if "exit" in step:
        leave(step["exit"])


def start_child(*, daemon: bool) -> None:
    import subprocess

    child = subprocess.Popen(["sleep", "60"], start_new_session=daemon)
    with open(f"{DIRECTORY}/child.pid", "w") as file:  # noqa: PTH123
        file.write(str(child.pid))


def small_result(version: str) -> dict[str, Any]:
    if version in ("0.1.0", "0.2.0"):
        return {"cniVersion": version, "ip4": {"ip": "10.1.2.3/24", "gateway": "10.1.2.1"}, "dns": {}}
    ip: dict[str, Any] = {"address": "10.1.2.3/24", "gateway": "10.1.2.1", "interface": 0}
    if not version.startswith("1."):
        ip["version"] = "4"
    interface = {
        "name": os.environ["CNI_IFNAME"],
        "mac": "02:00:00:00:00:01",
        "sandbox": os.environ.get("CNI_NETNS", ""),
    }
    return {"cniVersion": version, "interfaces": [interface], "ips": [ip], "dns": {}}


def finish(result: dict[str, Any]) -> int:
    sys.stdout.write(dumps(result))
    return 0


def fail(error: dict[str, Any]) -> int:
    sys.stdout.write(dumps(error))
    return 1


def leave(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
