"""How much may be read from a disk and written to it: an item of [cgroups] revocable_io_max. Pure."""

from __future__ import annotations

from executor.errors import InvalidTask

HELP = "a list of limits, such as '/dev/sda rbps=100Mi wbps=50Mi riops=1000 wiops=1000', with one of the four at least"
_RATES = ("rbps", "wbps", "riops", "wiops")


def parse(item: str) -> tuple[str, dict[str, int]]:
    """A disk, or a path on it, and what is to be done there at most in a second. Raises ValueError."""
    from executor import quantity  # most nodes limit no disk

    path, *words = item.split()
    pairs = dict(word.partition("=")[::2] for word in words)
    if not path.startswith("/") or not pairs or len(pairs) < len(words) or not pairs.keys() <= {*_RATES}:
        raise ValueError(HELP)
    try:
        rates = {name: quantity.size(text, subject=name) for name, text in pairs.items()}
    except InvalidTask as error:
        raise ValueError(f"{HELP} ({error})") from error
    if 0 in rates.values():
        raise ValueError(HELP)
    return path, rates
