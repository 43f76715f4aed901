"""Where the notebooks are that come with qcbench: in the repository's checkout, else in the installation."""

from __future__ import annotations

import sys
from pathlib import Path

from qcbench.core.errors import NotFoundError

_CHECKOUT = Path(__file__).resolve().parents[2]


def notebook(name: str) -> Path:
    """Return a papermill template by its name, with or without ``.ipynb``.

    Raises
    ------
    NotFoundError
        There is no such template.
    """
    return _find("notebooks/templates", name)


def voila_app(name: str) -> Path:
    """Return the notebook of a Voila app by its name, with or without ``.ipynb``.

    Raises
    ------
    NotFoundError
        There is no such app.
    """
    return _find("voila_apps", name)


def _find(folder: str, name: str) -> Path:
    file = f"{name.removesuffix('.ipynb')}.ipynb"
    roots = (_CHECKOUT, Path(sys.prefix) / "share" / "qcbench")
    for root in roots:
        if (path := root / folder / file).is_file():
            return path
    places = " nor in ".join(str(root / folder) for root in roots)
    raise NotFoundError(f"there is no notebook {file} in {places}. Install qcbench again")
