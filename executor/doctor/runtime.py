"""containerd, its snapshotter and namespace, and what containerd starts: the shim and runc."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from cgroups import CgroupError, Hierarchies, Mode
from executor.config import Config
from executor.doctor import holes, masks, verified
from executor.doctor.finding import Finding, Verdict, failed, passed, warned
from executor.errors import ExecutorError
from executor.images.store import ImageStore
from executor.node import runtime_choice

if TYPE_CHECKING:
    from executor.containerd import Containerd

VERSION_LEAST = (1, 6)
_SHIM = "containerd-shim-runc-v2"


async def check(config: Config, containerd: Containerd | None, error: str) -> list[Finding]:
    """`containerd` None: it could not be reached, because of `error`."""
    section = config.containerd
    settings = dict.fromkeys((section.runtime, section.runtime_revocable or section.runtime))
    hierarchies = _hierarchies()
    choices = [await asyncio.to_thread(runtime_choice.chosen, each, hierarchies) for each in settings]
    by_name = {name: program(name, runtime_choice.PATH) for name in (_SHIM, *(each.program for each in choices))}
    programs = [refusal(each, hierarchies.mode, _controllers(hierarchies)) or each for each in by_name.values()]
    if "runc" in by_name and by_name["runc"].verdict is Verdict.PASS:
        programs.append(holes.judge("runc", by_name["runc"].message))
        programs.append(await asyncio.to_thread(masks.check, shutil.which("runc", path=runtime_choice.PATH) or "runc"))
    programs += [passed("containerd.runtime", f"{each.program}: {each.why}") for each in choices]
    if containerd is None:
        hint = "start containerd, or correct [containerd] address"
        return [failed("containerd.reachable", f"does not answer: {error}", hint), *programs]
    address, namespace = config.containerd.address, config.containerd.namespace
    found = [passed("containerd.reachable", f"answers at {address}, namespace {namespace}")]
    text = await containerd.version()
    found += [version(text), holes.judge("containerd", text)]
    found.append(await _snapshotter(containerd))
    found.append(await _image(containerd, config.pods.default_image))
    found.append(await verified.check(containerd, config.images))
    return found + programs


def _hierarchies() -> Hierarchies:
    """None at all where they cannot be read, which is a finding of its own."""
    try:
        return Hierarchies.discover()
    except CgroupError:
        return Hierarchies()


def version(text: str) -> Finding:
    """Pure."""
    match = re.search(r"(\d+)\.(\d+)", text)
    if match is None or (int(match[1]), int(match[2])) < VERSION_LEAST:
        least = ".".join(map(str, VERSION_LEAST))
        return warned("containerd.version", f"{text} is older than what is tested", f"containerd {least} or later")
    return passed("containerd.version", text)


def refusal(runtime: Finding, mode: Mode, controllers: str) -> Finding | None:
    """crun runs no container where cgroup2 has controllers beside v1. `controllers` are those of cgroup2. Pure."""
    if runtime.verdict is not Verdict.PASS or " crun version " not in f" {runtime.message}":
        return None
    if mode is not Mode.HYBRID or not controllers:
        return None
    text = f"{runtime.message}, refuses every container: cgroup2 has {controllers} beside v1"
    hint = "choose runc by [containerd] runtime, or boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1)"
    return failed(runtime.check, text, hint)


def _controllers(hierarchies: Hierarchies) -> str:
    """Those of cgroup2; none where they cannot be read, which is a finding of its own."""
    if hierarchies.unified is None:
        return ""
    try:
        return (hierarchies.unified / "cgroup.controllers").read_text().strip()
    except OSError:
        return ""


def program(name: str, path: str) -> Finding:
    """That it is on containerd's usual path, or is a path, and runs."""
    found = shutil.which(name, path=path)
    check = f"containerd.{'shim' if name == _SHIM else 'runc'}"
    if found is None and name.startswith("/"):
        return failed(check, f"{name} is not a program of this node", "correct [containerd] runtime, or install it")
    if found is None:
        return failed(check, f"{name} is not on {path}", f"install {name}")
    try:
        done = subprocess.run(
            [found, "-v" if name == _SHIM else "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return failed(check, f"{found} does not run: {error}", f"install {name} again")
    if done.returncode:
        return failed(check, f"{found} does not run: {done.stderr.strip()[:200]}", f"install {name} again")
    output = " ".join(done.stdout.split()).removeprefix(f"{found}: ")
    return passed(check, f"{found}: {output[:80]}")


async def _snapshotter(containerd: Containerd) -> Finding:
    name = containerd.snapshots.snapshotter
    try:
        count = len(await containerd.snapshots.list())
    except ExecutorError as error:
        hint = "see `ctr plugins ls`: the kernel's overlayfs, the file system below containerd's root"
        return failed("containerd.snapshotter", f"{name} does not work: {error}", hint)
    return passed("containerd.snapshotter", f"{name}, {count} snapshots")


async def _image(containerd: Containerd, image: str) -> Finding:
    if not image:
        text = "none is configured: tasks without an image run on the node's file system, in roles of level privileged"
        return passed("containerd.default_image", text)
    try:
        await ImageStore(containerd).lookup(image)
    except ExecutorError as error:
        hint = "pull it into the namespace, or change [pods] default_image"
        return warned("containerd.default_image", f"{image} is not here: {error}", hint)
    return passed("containerd.default_image", f"{image} is here")
