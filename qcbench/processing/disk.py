"""Whether a full disk keeps recipes from running, or made one of them fail."""

from __future__ import annotations

from qcbench.core.errors import FileWriteError
from qcbench.core.files import free_mb
from qcbench.processing.engines import RecipeJob
from qcbench.processing.running import size_mb
from qcbench.workbench import Workbench

# with less than that (MiB) a disk is full, whatever the settings say
_FULL_MB = 1.0


def check_space(bench: Workbench) -> None:
    """Refuse to begin where there is less space than the settings want.

    Raises
    ------
    FileWriteError
        How much there is.
    """
    free, needed = free_mb(bench.settings.root), bench.settings.processing.min_free_mb
    if free < needed:
        raise FileWriteError(
            f"only {free:.0f} MiB are free below {bench.settings.root}, {needed:.0f} are wanted "
            "(processing.min_free_mb). Free space and call again"
        )


def blame_disk(bench: Workbench, job: RecipeJob, reason: str) -> None:
    """Blame the disk for the failure of a recipe, while what that wrote is still there, where it may be to blame.

    Raises
    ------
    FileWriteError
        The disk is full, and it was not the recipe that filled it.
    """
    free = free_mb(job.work_dir)
    if free >= max(bench.settings.processing.min_free_mb, _FULL_MB):
        return
    # what takes more than it may would fill the disk again
    if not 0 < job.limits.disk_mb < size_mb(job.work_dir):
        raise FileWriteError(
            f"{reason}; and only {free:.0f} MiB are free below {bench.settings.root}. Free space and call again"
        )
