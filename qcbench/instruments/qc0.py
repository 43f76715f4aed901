"""What a pack says of its raw frames, so that process-ab can refuse those that no recipe should see."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from qcbench.core.errors import RuleError
from qcbench.fits import Expected, ImageCount, Rule
from qcbench.instruments.emptiness import EmptyLists
from qcbench.oca import Expression, parse_expression


def _parsed(text: str) -> str:
    try:
        condition = parse_expression(text, "condition")
    except RuleError as err:
        raise ValueError(f"column {err.column}: {err.problem}") from err
    if any(key.of_input or key.of_last_frame or key.is_signal for key in condition.key_nodes()):
        raise ValueError("name keys of the frame alone, without inputFile, LF or SIG")
    return text


Condition = Annotated[str, AfterValidator(_parsed)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Model(EmptyLists):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class ImageNumber(_Model):
    """How many images of detectors a file has."""

    number: int = Field(ge=0)
    """How many."""
    when: Condition | None = None
    """Only if this is true of the primary header, in the language of rules.oca; not if a key of it is missing."""
    why: str = Field(min_length=1)
    """Why so many."""

    @cached_property
    def condition(self) -> Expression | None:
        """The condition of `when`."""
        return parse_expression(self.when, "when") if self.when is not None else None


class SizeRule(_Model):
    """What is true of the size of each image."""

    condition: Condition
    """Condition on header keys, in the language of rules.oca; not looked at if a key of it is missing."""
    why: str = Field(min_length=1)
    """The same in words, as a sentence."""

    @cached_property
    def expression(self) -> Expression:
        """The condition as it is evaluated."""
        return parse_expression(self.condition, "condition")


class Qc0(_Model):
    """What raw frames are like; process-ab gives no recipe one that is otherwise."""

    extensions: tuple[str, ...] = ()
    """Names (EXTNAME) of the images that detectors make, with * and ?; without it all images of a file."""
    images: tuple[ImageNumber, ...] = ()
    """How many of these images a file has; the first one that applies counts."""
    sizes: tuple[SizeRule, ...] = ()
    """What is true of their sizes. Keys of the image win over those of the primary header."""
    saturated: Fraction = 1.0
    """Largest fraction of the pixels of an image that may be saturated (see saturation_adu); 1 forbids nothing."""
    saturated_of: dict[str, Fraction] = Field(default_factory=dict)
    """The same for single raw types, which win over `saturated`."""

    def expected(self, raw_type: str, saturation: float | None) -> Expected:
        """Return what a frame of a raw type is held against; `saturation` in adu."""
        return Expected(
            extensions=self.extensions,
            counts=tuple(ImageCount(item.number, item.condition, item.why) for item in self.images),
            sizes=tuple(Rule(item.expression, item.why) for item in self.sizes),
            saturation=saturation,
            max_saturated=self.saturated_of.get(raw_type, self.saturated),
            kind=raw_type,
        )
