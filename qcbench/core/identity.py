"""Who is acting.

On a workbench of one user at localhost that is the user of the operating system. It never comes from a header,
a form field, or a variable such as USER, which anybody can set.
"""

from __future__ import annotations

import os
import pwd
from functools import cache


def current_user() -> str:
    """Return the name of the operating system's user that runs this process."""
    return _name_of(os.geteuid())


@cache
def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid{uid}"
