"""The real plugins, but for those runs that a test has chosen: these fail, die or hang, before or after their work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.integration.cni.lab import REAL_PLUGINS

SHIM = """#!/bin/sh
real={real}/${{0##*/}}
fault={faults}/${{0##*/}}.$CNI_COMMAND.$CNI_CONTAINERID
mv "$fault" "$fault.done" 2>/dev/null || exec "$real"
read -r how when <"$fault.done"
[ "$when" = after ] && "$real" >/dev/null
case $how in
  dies) kill -9 $$ ;;
  hangs) exec sleep 60 ;;
esac
echo '{{"cniVersion": "1.0.0", "code": 100, "msg": "injected"}}'
exit 1
"""
PLUGINS = ("bridge", "host-local", "portmap")
MODES = ("fails before", "fails after", "dies before", "dies after", "hangs before", "hangs after")


@dataclass(frozen=True)
class Fault:
    plugin: str
    command: str
    mode: str


EVERY = tuple(Fault(plugin, command, mode) for plugin in PLUGINS for command in ("ADD", "DEL") for mode in MODES)


class Faults:
    """`plugins` is the directory to look for plugins in first."""

    def __init__(self, directory: Path) -> None:
        self.plugins = directory / "plugins"
        self._faults = directory / "faults"
        for path in (self.plugins, self._faults):
            path.mkdir(parents=True)
        for name in PLUGINS:
            (self.plugins / name).write_text(SHIM.format(real=REAL_PLUGINS, faults=self._faults))
            (self.plugins / name).chmod(0o755)

    def plant(self, fault: Fault, pod: str) -> None:
        """In the next such run for this pod."""
        self._path(fault, pod).write_text(f"{fault.mode}\n")

    def happened(self, fault: Fault, pod: str) -> bool:
        path = self._path(fault, pod)
        return path.with_name(f"{path.name}.done").exists()

    def _path(self, fault: Fault, pod: str) -> Path:
        return self._faults / f"{fault.plugin}.{fault.command}.{pod}"
