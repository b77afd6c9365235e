"""An operator's configuration file from values as variables have them, for an executor takes no operator's variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from executor.config import load, sections
from executor.config.role_policy import RolePolicy
from executor.config.values import VARIABLE_PREFIX, decode_variables


def text(values: Mapping[str, str]) -> str:
    """`values` maps <SECTION>_<KEY> to a text: {"PODS_PIDS_MAX": "100"}; a text that begins with { is a TOML table."""
    tables = {name.lower(): value for name, value in values.items() if value.startswith("{")}
    plain = {f"{VARIABLE_PREFIX}{name}": value for name, value in values.items() if name.lower() not in tables}
    decoded = decode_variables(plain, sections())
    assert not decoded.faults, decoded.faults
    lines = []
    for section in sections():
        keys = {key: _toml(value) for key, value in decoded.values.get(section, {}).items()}
        keys |= {name.removeprefix(f"{section}_"): value for name, value in tables.items() if name.startswith(section)}
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())] if keys else []
    written = "\n".join(lines) + "\n"
    load(written, {})
    return written


def write(directory: Path, values: Mapping[str, str]) -> Path:
    """The same values are the same file, so that an executor that is started later finds what it was told of."""
    content = text(values)
    path = directory / f"config-{sha256(content.encode()).hexdigest()[:12]}.toml"
    if not path.exists():
        path.write_text(content)
    return path


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(str(each))}" for key, each in value.items()) + "}"
    if isinstance(value, RolePolicy):
        return json.dumps(str(value.level))
    return json.dumps(list(value) if isinstance(value, tuple) else value)
