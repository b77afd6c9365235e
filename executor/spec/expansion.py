"""`$(NAME)` in texts of a container, with a bound on what they grow to. Pure.

Each variable may name earlier ones, so a kilobyte of them can stand for a terabyte. The size is counted before any
text is put together. The bounds are those of execve(2): what is above them could not be executed anyway.

Source: Kubernetes' expansion of `$(NAME)` (third_party/forked/golang/expansion/expand.go); Linux, include/uapi/linux/
binfmts.h (MAX_ARG_STRLEN) and fs/exec.c (bprm_stack_limits: a quarter of the stack's limit, 2 MiB).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from executor.errors import InvalidTask

TEXT_MAX_BYTES = 128 * 1024
"""One argument, or one variable as NAME=value, with the byte that ends it."""
CONTAINER_MAX_BYTES = 1024 * 1024
"""All arguments and variables of one container; execve's pointers and the image's own take the rest of its 2 MiB."""
POD_MAX_BYTES = 2 * CONTAINER_MAX_BYTES
_SMALLER = "put the data into a file of the image or of a volume"


class Budget:
    """What one container's texts may still grow to."""

    def __init__(self, most_bytes: int = CONTAINER_MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self.used_bytes = 0

    def spend(self, size_bytes: int, subject: str) -> None:
        """Raises InvalidTask: one text, or all of them together, would be too large."""
        self.used_bytes += size_bytes
        if size_bytes > TEXT_MAX_BYTES:
            raise InvalidTask(
                f"is larger than {TEXT_MAX_BYTES} bytes when its $(NAME) are filled in, which cannot be executed",
                subject=subject,
                hint=_SMALLER,
            )
        if self.used_bytes > self._most_bytes:
            raise InvalidTask(
                f"the container's command, args and env are larger than {self._most_bytes} bytes together when their "
                "$(NAME) are filled in",
                subject=subject,
                hint=_SMALLER,
            )


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` is the variable, `$$` a `$`; an unknown name and everything else stays as it is."""
    return "".join(_pieces(text, variables)) if "$" in text else text


def expanded(text: str, variables: Mapping[str, str], budget: Budget, subject: str, *, prefix: str = "") -> str:
    """As `expand`; counts the text behind `prefix`, the `NAME=` of a variable. Raises InvalidTask before a text
    that is too large is put together.
    """
    if "$" not in text:
        found = text
    else:
        if sum(map(len, _pieces(text, variables))) > TEXT_MAX_BYTES:  # a letter has at least one byte
            budget.spend(TEXT_MAX_BYTES + 1, subject)
        found = "".join(_pieces(text, variables))
    budget.spend(size_bytes(prefix + found), subject)
    return found


def size_bytes(text: str) -> int:
    """As UTF-8, with the byte that ends it."""
    return len(text.encode(errors="replace")) + 1


def _pieces(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    """No letter is looked at twice: where no `)` follows once, none is looked for again."""
    at, closed = 0, True
    while (begin := text.find("$", at)) >= 0:
        yield text[at:begin]
        following = text[begin + 1 : begin + 2]
        end = text.find(")", begin) if closed and following == "(" else -1
        closed = closed and (following != "(" or end >= 0)
        if end >= 0:
            whole = text[begin : end + 1]
            yield variables.get(whole[2:-1], whole)
            at = end + 1
        else:
            yield "$"
            at = begin + (2 if following == "$" else 1)
    yield text[at:]
