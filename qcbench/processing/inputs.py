"""The raw frames that a recipe is given: they are here, and have passed QC0.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 5.5.3 and 6.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qcbench.core.errors import FrameError
from qcbench.core.logs import get_logger
from qcbench.fits import HeaderReader, Scanner, check_frame
from qcbench.instruments import InstrumentFile
from qcbench.processing.pixels import Streams, raw_files, recipe_inputs
from qcbench.processing.runs import Given
from qcbench.store import AssociationBlock
from qcbench.workbench import Workbench

TOOL = "process-ab"


def bring_raw(bench: Workbench, ab: AssociationBlock, streams: Streams) -> tuple[Given, ...]:
    """Fetch the pixels of an AB that are not here yet.

    Raises
    ------
    ArchiveError
        The archive has not got a file any more, or breaks off.
    WaitingError
        A file is no longer what it was when its headers were loaded.
    FileWriteError
        One can't be written.
    """
    inputs = recipe_inputs(ab)
    files = raw_files(bench, [item.frame for item in inputs])
    streams.bring(files)
    return tuple(
        Given(file.path, item.tag, item.frame.arcfile, frame_id=item.frame_id)
        for item, file in zip(inputs, files, strict=True)
    )


def check_raw(raw: Sequence[Path], instrument: InstrumentFile, raw_type: str) -> int:
    """Refuse input that QC0 finds fault with: recipes don't look. The next call fetches such a file again.

    Returns
    -------
    int
        The shortest side (pixels) of the images of the first file; 0 where it has none.

    Raises
    ------
    FrameError
        What is wrong with the first file that can't be used.
    """
    scanner = Scanner()
    for path in raw:
        found = check_frame(path, instrument.required_keys, instrument.expected(raw_type), scanner)
        if found.problems:
            path.unlink()
            raise FrameError(
                path.name, "; ".join(found.problems), "Have it transferred again, or have it hidden"
            )
        for remark in found.remarks:
            get_logger().info(f"{path.name}: {remark}", tool=TOOL)
    images = [hdu.shape for hdu in HeaderReader(scanner).read(raw[0]).hdus if hdu.is_image and hdu.shape]
    return min(map(min, images), default=0)
