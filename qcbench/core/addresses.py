"""Addresses of files, as a page gives them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def relative_url(target: Path, folder: Path) -> str:
    """Return the address of a file, seen from a page in `folder`; names with colons are encoded."""
    return quote(Path(os.path.relpath(target, folder)).as_posix())
