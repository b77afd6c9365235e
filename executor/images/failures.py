"""What goes wrong when an image is pulled, and whether a later try may help. Pure."""

from __future__ import annotations

from executor.errors import ImageFailure


class IncompleteImage(ImageFailure):
    """An image of this node lacks documents: a pull brings what is missing."""


class DamagedImage(ImageFailure):
    """A document of an image of this node has not the digest that it was stored by: no pull replaces it."""


class PullFailure(ImageFailure):
    """A registry could not be reached, or does not give the image: a later try may help.

    `retry_after_s` is how long the registry asks to be left alone, 0 if it does not say. `status` is that of its HTTP
    answer, 0 without one. Every other ImageFailure is final: the image itself cannot be used.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        hint: str = "",
        retry_after_s: float = 0.0,
        status: int = 0,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.retry_after_s = retry_after_s
        self.status = status
        self.is_lasting = lasting
        """Asking again at once is of no use: the registry said no, or is not trusted."""
