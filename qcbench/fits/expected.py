"""What frames of an instrument are like: how many images, how large, and how much of them may be saturated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from qcbench.fits.hdus import FileHeader, HduHeader, Keys
from qcbench.oca import Expression, matches, print_expression


@dataclass(frozen=True)
class Rule:
    """A condition on the keys of an image, and in words what it is for."""

    condition: Expression
    why: str


@dataclass(frozen=True)
class ImageCount:
    """How many images a file has, if its primary header meets a condition."""

    number: int
    when: Expression | None
    why: str


@dataclass(frozen=True)
class Expected:
    """What a frame is held against.

    Attributes
    ----------
    extensions : tuple of str
        Names of the HDUs that hold pixels of detectors, with * and ?; empty: all that hold an image.
    counts : tuple of ImageCount
        How many of them there are: the first one that applies counts.
    sizes : tuple of Rule
        What is true of the keys of each.
    saturation : float, optional
        Pixels of this value or more are saturated, adu.
    max_saturated : float
        Largest fraction of the pixels of an image that may be.
    kind : str
        What has this limit: the raw type.
    """

    extensions: tuple[str, ...] = ()
    counts: tuple[ImageCount, ...] = ()
    sizes: tuple[Rule, ...] = ()
    saturation: float | None = None
    max_saturated: float = 1.0
    kind: str = ""

    def images(self, header: FileHeader) -> Mapping[int, HduHeader]:
        """Return the HDUs with pixels of detectors, by their numbers from 0."""
        return {
            number: hdu
            for number, hdu in enumerate(header.hdus)
            if hdu.is_image and hdu.shape and self._is_named(hdu)
        }

    def _is_named(self, hdu: HduHeader) -> bool:
        return not self.extensions or any(fnmatchcase(hdu.name, pattern) for pattern in self.extensions)


ANYTHING = Expected()


def name_of(hdu: HduHeader) -> str:
    """Return what an HDU is called in messages."""
    return hdu.name or "the primary HDU"


def check_images(header: FileHeader, expected: Expected) -> Iterator[str]:
    """Say what is wrong with the number and the sizes of the images of a file, by its headers alone."""
    images = expected.images(header).values()
    if not images and expected.extensions:
        yield f"no image has a name of a detector: {', '.join(expected.extensions)}"
        return
    for count in expected.counts:
        if count.when is None or _holds(count.when, header.keys):
            if len(images) != count.number:
                wanted = "1 image is" if count.number == 1 else f"{count.number} images are"
                yield f"{wanted} expected, {len(images)} found: {count.why}"
            break
    for hdu in images:
        # a key of the image itself is nearer than one of the whole file
        keys = {**header.keys, **hdu.keys}
        for rule in expected.sizes:
            if _holds(rule.condition, keys) is False:
                told = ", ".join(f"{key} is {keys[key]}" for key in _keys_of(rule.condition))
                yield f"{name_of(hdu)}: {rule.why}, but {told} ({print_expression(rule.condition)} is not true)"


def _holds(condition: Expression, keys: Keys) -> bool | None:
    """Tell whether a condition is true; None where a key of it is missing."""
    if any(keys.get(key) is None for key in _keys_of(condition)):
        return None
    return matches(condition, keys, keys)


def _keys_of(condition: Expression) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.header_name for key in condition.key_nodes()))
