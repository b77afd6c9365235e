"""qemu with one machine: it boots, runs what its second disk says, and powers off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.vm.image import Image

MEMORY_MIB = 4096
CPUS = 2
FAILED = 125
"""The exit code of a machine that gave none."""
TAIL_CHARACTERS = 4000
BOOTS = 3
PROCESSOR = "max,la57=off,smap=off,smep=off,pku=off,erms=off,fsrm=off"
"""Without what makes emulation slow: a fifth level of page tables, checks at each copy from user space, and
instructions that copy byte by byte where the kernel could take eight at a time.
"""
KERNEL_LINE = (
    "root=/dev/vda rw console=ttyS0 TERM=dumb quiet panic=-1 systemd.show_status=0 net.ifnames=0 mitigations=off "
    "systemd.firstboot=0 systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900"
)
"""Limits of time are long: a machine whose disk comes late on a busy host would be in emergency mode."""


def boot(image: Image, project: Path, *, report: Path | None, timeout_s: float) -> int:
    """What the guest's command prints goes to standard output, what it writes to its port `report` into that file.

    The command's exit code; FAILED, with the end of the guest's console, if the machine ended without one. A machine
    that ended before the command began is started again: kernels that patch their own code panic now and then where
    qemu emulates several processors on a busy host.
    """
    for _ in range(BOOTS):
        began, code, console = _boot(image, project, report, timeout_s)
        if code is not None:
            return code
        print(f"the machine ended without an exit code; its console:\n{console}", file=sys.stderr)
        if began:
            break
    return FAILED


def _boot(image: Image, project: Path, report: Path | None, timeout_s: float) -> tuple[bool, int | None, str]:
    """Whether the command began, its exit code, and the end of the console."""
    began = False
    with tempfile.TemporaryDirectory(prefix="mpe-machine-") as scratch:
        console, code = Path(scratch, "console"), Path(scratch, "code")
        command = arguments(image, project, console=console, code=code, report=report or Path(scratch, "report"))
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert machine.stdout is not None
        with machine, _ended(machine, timeout_s):
            while chunk := os.read(machine.stdout.fileno(), 1 << 16):
                began = True
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        text = code.read_text().strip() if code.exists() else ""
        shown = console.read_text(errors="replace")[-TAIL_CHARACTERS:] if console.exists() else ""
        return began, int(text) if text.isdigit() else None, shown


@contextlib.contextmanager
def _ended(machine: subprocess.Popen[bytes], timeout_s: float) -> Iterator[None]:
    """It is killed after the time, and when this program is asked to end: it has nothing to save."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    limit = threading.Timer(timeout_s, machine.kill)
    limit.start()
    try:
        yield
        machine.wait()
    finally:
        limit.cancel()
        machine.kill()
        signal.signal(signal.SIGTERM, before)


def arguments(image: Image, project: Path, *, console: Path, code: Path, report: Path) -> list[str]:
    """Both disks forget what was written: changes go to temporary files of qemu's own."""
    emulation = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", PROCESSOR, "-machine", "q35"]
    size = ["-smp", str(min(CPUS, os.cpu_count() or 1)), "-m", str(MEMORY_MIB)]
    kernel = ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", KERNEL_LINE]
    disks = [
        part
        for disk in (image.disk, project)
        for part in ("-drive", f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe")
    ]
    ports = [*_port("out", "file,path=/dev/stdout,append=on"), *_port("code", f"file,path={code}")]
    ports += _port("report", f"file,path={report},append=on")
    bare = ["-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{console}", "-device", "virtio-rng-pci"]
    return ["qemu-system-x86_64", *emulation, *size, *kernel, *bare, *disks, "-device", "virtio-serial-pci", *ports]


def _port(name: str, backend: str) -> list[str]:
    """In the guest /dev/virtio-ports/NAME."""
    kind, _, options = backend.partition(",")
    device = ["-device", f"virtserialport,chardev={name},name={name}"]
    return ["-chardev", ",".join(filter(None, (kind, f"id={name}", options))), *device]
