"""Stand-ins for shared libraries that libmesos was linked with and that the distribution no longer has.

libmesos 1.11.0 comes inside a CPython 2.7 extension of 2020: it wants OpenSSL 1.0, SASL, Subversion, APR and CPython
itself.  A test needs none of them, only the names have to resolve, with their versions. Each stub says its name and
aborts when it is called after all, so a wrong assumption is seen at once.
Standard library only: this runs before a virtual environment exists. Needs readelf, nm and gcc.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

VERSIONED = ("libcrypto.so.1.0.0", "libssl.so.1.0.0", "libcurl.so.4", "libsasl2.so.2")
UNVERSIONED = {  # a library's name -> the names it is expected to have
    "libpython-stub.so": re.compile(r"_?Py"),
    "libsvn_delta-1.so.1": re.compile(r"svn_"),
    "libsvn_subr-1.so.1": re.compile(r"(?!)"),
    "libapr-1.so.0": re.compile(r"apr_"),
}
LINKED_BY_US = "libpython-stub.so"
"""The one that libmesos does not name itself: an interpreter is expected to have loaded the extension."""

_RETURNS_ZERO = frozenset({"sasl_server_init", "sasl_auxprop_add_plugin"})  # called when a master starts; 0 is SASL_OK
_DATA = re.compile(r"PyExc_|_Py_NoneStruct")
_PREAMBLE = """#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static long missing(const char *name) {
  write(2, "call of a stub: ", 16); write(2, name, strlen(name)); write(2, "\\n", 1); abort();
}
"""


@dataclass
class Stub:
    """One library: names by symbol version; the version `""` stands for names without one."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def source(self) -> str:
        return _PREAMBLE + "".join(_definition(name) for names in self.names.values() for name in names)

    def version_script(self) -> str:
        versions = ((version, names) for version, names in self.names.items() if version)
        return "".join(f"{version} {{ {_global(names)} }};\n" for version, names in versions)


def _definition(name: str) -> str:
    if _DATA.match(name):
        return f"long {name}[8];\n"
    body = "0" if name in _RETURNS_ZERO else f'missing("{name}")'
    return f"long {name}(void) {{ return {body}; }}\n"


def _global(names: Iterable[str]) -> str:
    text = "; ".join(names)
    return f"global: {text};" if text else ""


def needed_versions(readelf: str) -> dict[str, list[str]]:
    """Library name -> symbol versions wanted of it, from `readelf --version-info` (also those that no symbol uses)."""
    found: dict[str, list[str]] = {}
    wanted: list[str] = []
    for line in readelf.splitlines():
        if match := re.search(r"Version: 1\s+File: (\S+)", line):
            wanted = found.setdefault(match[1], [])
        elif match := re.search(r"Name: (\S+)\s+Flags:", line):
            wanted.append(match[1])
    return found


def plan(readelf: str, undefined: str) -> dict[str, Stub]:
    """Every stub library, from the text of `readelf --version-info` and of `nm --dynamic --undefined-only`."""
    wanted = needed_versions(readelf)
    stubs = {library: Stub({version: [] for version in wanted.get(library, [])}) for library in VERSIONED}
    stubs |= {library: Stub({"": []}) for library in UNVERSIONED}
    for line in undefined.splitlines():
        name, _, version = line.split()[-1].partition("@")
        if library := _home(name, version, stubs):
            stubs[library].names[version].append(name)
    return stubs


def _home(name: str, version: str, stubs: Mapping[str, Stub]) -> str | None:
    if not version:
        return next((library for library, pattern in UNVERSIONED.items() if pattern.match(name)), None)
    owners = [library for library in VERSIONED if version in stubs[library].names]
    if len(owners) == 2:  # OpenSSL's two libraries share their version names
        return "libssl.so.1.0.0" if re.match(r"SSL|TLS", name) else "libcrypto.so.1.0.0"
    return owners[0] if owners else None


def build(library: Path, output: Path) -> None:
    """Compile the stubs that `library` needs into the directory `output`; raises subprocess.CalledProcessError."""
    stubs = plan(_text("readelf", "--version-info", "--wide", library), _text("nm", "-D", "--undefined-only", library))
    for name, stub in stubs.items():
        source, script = output / f"{name}.c", output / f"{name}.map"
        source.write_text(stub.source())
        script.write_text(stub.version_script())
        versions = [f"-Wl,--version-script,{script}"] if script.stat().st_size else []
        target = ["-o", str(output / name), str(source), f"-Wl,-soname,{name}"]
        subprocess.run(["gcc", "-w", "-O1", "-shared", "-fPIC", *target, *versions], check=True)
        source.unlink()
        script.unlink()


def _text(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
