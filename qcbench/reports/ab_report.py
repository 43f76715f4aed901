"""The QC report of an AB, piece by piece, as its notebook displays it.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.4, 6.2.3 and 6.3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bokeh.io import output_notebook
from bokeh.resources import INLINE

from qcbench.reports import evidence, provenance, score_tables
from qcbench.reports.sections import Head, Section
from qcbench.reports.subject import Subject, load_subject
from qcbench.workbench import open_workbench


@dataclass(frozen=True)
class ABReport:
    """The pieces of the report of one AB; each method makes one."""

    subject: Subject

    def head(self) -> Head:
        """Say what is wrong and where, in words."""
        return score_tables.head(self.subject)

    def scores(self) -> Section:
        """Show the scores: value, limits, verdict, and what to do."""
        return score_tables.scores(self.subject)

    def trends(self) -> Section:
        """Show the last 90 days of the worst parameters."""
        return evidence.trends(self.subject)

    def images(self) -> Section:
        """Show the images of the product, or of the raw frames where it has none."""
        return evidence.images(self.subject)

    def spectra(self) -> Section:
        """Show the spectra or the tables of the product; nothing where it has none."""
        return evidence.spectra(self.subject)

    def histogram(self) -> Section:
        """Show how the pixels are distributed."""
        return evidence.distribution(self.subject)

    def cut(self, axis: Literal["row", "column"]) -> Section:
        """Show a cut along the rows or the columns."""
        return evidence.profile(self.subject, axis)

    def previous(self) -> Section:
        """Compare with the previous certified master of the same setup."""
        return evidence.previous(self.subject)

    def association(self) -> Section:
        """Show the calibrations that were used, with their distance in time."""
        return provenance.association(self.subject)

    def processing(self) -> Section:
        """Show recipe, engine, log and versions."""
        return provenance.processing(self.subject)

    def raw_frames(self) -> Section:
        """Show the raw frames."""
        return provenance.raw_frames(self.subject)


def open_report(workbench: str, ab: str, *, interactive: bool = False) -> ABReport:
    """Open the report of an AB.

    Parameters
    ----------
    workbench : str
        Folder of the workbench.
    ab : str
        Name of the AB.
    interactive : bool
        Load Bokeh into the notebook, so that its figures show there.
    """
    if interactive:
        output_notebook(INLINE, hide_banner=True)
    return ABReport(load_subject(open_workbench(Path(workbench), os.environ), ab))
