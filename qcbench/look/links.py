"""Links: the only addresses that a page or a figure may lead to."""

from __future__ import annotations

import re

_WEB = re.compile(r"https?://[^/\\]", re.IGNORECASE)
# Browsers drop control characters from an address and read a backslash as a slash before they act on it.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def safe_url(url: str | None) -> str:
    """Return an address that only ever opens a page, or ``""`` where `url` is none.

    Relative addresses and http(s) pass. An AB name holds colons, which a browser would take for a
    scheme, so a relative address with a colon in its first part is given a leading ``./``; this
    also disarms ``javascript:`` and its kind.
    """
    if not url or _UNSAFE.search(url) or url.startswith("//"):
        return ""
    if _WEB.match(url):
        return url
    first = re.split(r"[/?#]", url, maxsplit=1)[0]
    return f"./{url}" if ":" in first else url
