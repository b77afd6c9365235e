"""TOML of the operator's files, with a bound on its size. Pure.

Python's own reader takes time that grows with the square of the number of a key's parts: 1 MiB of `a.a.a` took 40 s,
TEXT_MAX_BYTES take less than one.
"""

from __future__ import annotations

from typing import Any, Final

TEXT_MAX_BYTES: Final = 128 << 10
"""A file with every key and its documentation has some 13 KiB."""


class TomlError(ValueError):
    """It cannot be read; the message says why, in words."""


def loads(text: str) -> dict[str, Any]:
    """As tomllib.loads. Raises TomlError, and nothing else."""
    import tomllib  # its regular expressions cost 3 ms, and most nodes have no file

    if len(text.encode(errors="surrogatepass")) > TEXT_MAX_BYTES:
        raise TomlError(f"it has more than {TEXT_MAX_BYTES} bytes")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a whole number of thousands of digits raises no TOMLDecodeError
        raise TomlError(str(error)) from error
    except RecursionError as error:
        raise TomlError("it is nested too deep") from error
