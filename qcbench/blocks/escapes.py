"""Header values in lines of blank-separated words, so that none can forge a line, a column or a comment.

What the form can't hold (line ends, control characters, a ``#``, blanks at the ends or in a column) is written as
``%XX``, two hexadecimal digits for each byte of its UTF-8 form, as in a URL. All else stays as it is, a ``%`` too,
unless two such digits follow it.
"""

from __future__ import annotations

import re

UNKNOWN = "-"

_ALWAYS = r"%(?=[0-9A-Fa-f]{2})|#|[^\S ]|[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\ufeff\ud800-\udfff]"
_IN_TEXT = re.compile(rf"{_ALWAYS}|\A | \Z|(?<= ) ")
_IN_WORD = re.compile(rf"{_ALWAYS}| ")
_IN_KEY = re.compile(rf"{_ALWAYS}|[ =_]")
_IN_SETUP = re.compile(rf"{_ALWAYS}|_|\A-\Z")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def escape_text(value: str) -> str:
    """Return a value that goes to the end of its line."""
    return _IN_TEXT.sub(_coded, value)


def escape_word(value: str) -> str:
    """Return a value for a column; an empty one is ``-``."""
    if value == UNKNOWN:
        return "%2D"
    return _IN_WORD.sub(_coded, value) or UNKNOWN


def unescape_word(word: str) -> str:
    """Return the value of a column."""
    return "" if word == UNKNOWN else unescape(word)


def escape_key(key: str) -> str:
    """Return a header key for RAW_MATCH_KEY: dots as underscores, as documented; its own underscores are ``%5F``."""
    return _IN_KEY.sub(_coded, key).replace(".", "_")


def unescape_key(word: str) -> str:
    """Return the header key of a RAW_MATCH_KEY: every underscore stands for a dot."""
    return unescape(word.replace("_", "."))


def escape_setup(setup: str) -> str:
    """Return a setup for the log: blanks as underscores (``Medusa1_L543.1``); its own underscores are ``%5F``."""
    return _IN_SETUP.sub(_coded, setup).replace(" ", "_") or UNKNOWN


def unescape_setup(word: str) -> str:
    """Return the setup of a log: every underscore stands for a blank."""
    return "" if word == UNKNOWN else unescape(word.replace("_", " "))


def unescape(text: str) -> str:
    """Undo the escapes; what is no UTF-8 was not written here, and stays."""
    return _ESCAPED.sub(_decoded, text)


def _coded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _decoded(found: re.Match[str]) -> str:
    try:
        return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return found[0]
