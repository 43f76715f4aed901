"""How a recipe fails: an exit code that reads like that of a CPL recipe, and a reason in words."""

from __future__ import annotations

from enum import IntEnum

from qcbench.core.errors import RecipeError


class Code(IntEnum):
    """Exit codes of a recipe process; the same numbers as the CPL engine gives for the same trouble."""

    OK = 0
    UNUSABLE_FRAMES = 1
    READ_ERROR = 6
    NOT_WRITTEN = 7
    FILE_NOT_FOUND = 9
    DATA_NOT_FOUND = 10
    UNKNOWN_RECIPE = 13
    BAD_PARAMETER = 14


class RecipeRunError(RecipeError):
    """A recipe ends without products.

    Attributes
    ----------
    code : Code
        Exit code of the recipe process.
    """

    def __init__(self, code: Code, reason: str):
        self.code = code
        super().__init__(reason)


def unusable(reason: str) -> RecipeRunError:
    """Return the failure for too few frames, or frames that a recipe can't work on."""
    return RecipeRunError(Code.UNUSABLE_FRAMES, reason)


def unreadable(reason: str) -> RecipeRunError:
    """Return the failure for a file that is truncated or not FITS."""
    return RecipeRunError(Code.READ_ERROR, reason)


def missing(reason: str) -> RecipeRunError:
    """Return the failure for a frame tag or a header key that is not there."""
    return RecipeRunError(Code.DATA_NOT_FOUND, reason)


def bad_parameter(reason: str) -> RecipeRunError:
    """Return the failure for a parameter that is unknown or out of its range."""
    return RecipeRunError(Code.BAD_PARAMETER, reason)
