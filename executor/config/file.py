"""The text of the configuration file."""

from __future__ import annotations

from pathlib import Path

from executor.config.values import PATH_VARIABLE
from executor.errors import InvalidConfig, reason


def read_text(path: Path, *, required: bool) -> str | None:
    """None: there is no such file. Raises InvalidConfig."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if required:
            hint = "create it, or name another file: --config, " + PATH_VARIABLE
            raise InvalidConfig("no such file", subject=str(path), hint=hint) from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error)
        raise InvalidConfig(
            f"cannot be read: {why}", subject=str(path), hint="make it a readable UTF-8 file"
        ) from error
