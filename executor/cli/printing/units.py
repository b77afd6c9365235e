"""Times, sizes and long texts for people, who do not count digits. Pure."""

from __future__ import annotations

from typing import Final

_IDENTITY_LETTERS: Final = 30


def shortened(text: str, letters: int) -> str:
    """Cut to so many letters, with dots that say so."""
    return text if len(text) <= letters else f"{text[: letters - 3]}..."


def identity(text: str) -> str:
    """An id of up to 30 letters as it is; a longer one without its middle: those of a pair differ at the end."""
    return without_middle(text, _IDENTITY_LETTERS)


def without_middle(text: str, letters: int) -> str:
    """Cut to so many letters, 5 at least, with dots in the place of its middle."""
    head = (letters - 3) // 2
    return text if len(text) <= letters else f"{text[:head]}...{text[head + 3 - letters :]}"


def age(seconds: float | None, *, units: int = 2) -> str:
    """As kubectl shows it: the two largest units, or so many."""
    if seconds is None:
        return "-"
    parts: list[str] = []
    rest = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:units])


def size(size_bytes: float) -> str:
    """In the largest unit that it reaches, with a digit behind the point where that tells something."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= scale:
            value = size_bytes / scale
            return f"{value:.1f} {unit}" if value < 10 and value % 1 >= 0.05 else f"{value:.0f} {unit}"
    return f"{size_bytes:.0f} B"


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it needs one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
