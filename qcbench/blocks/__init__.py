"""The Association Block in its historical text form, with its association log."""

from qcbench.blocks.comparing import check_text
from qcbench.blocks.keeping import write_marked_texts
from qcbench.blocks.log import log_of, log_text, parse_log, print_log, read_log
from qcbench.blocks.model import (
    MODES,
    AssociatedLine,
    BlockError,
    BlockFile,
    CalibrationLine,
    LogFile,
    MissingLine,
    Mode,
)
from qcbench.blocks.names import time_of_name
from qcbench.blocks.reading import parse_block, read_block
from qcbench.blocks.writing import block_of, list_text, print_block

__all__ = [
    "MODES",
    "AssociatedLine",
    "BlockError",
    "BlockFile",
    "CalibrationLine",
    "LogFile",
    "MissingLine",
    "Mode",
    "block_of",
    "check_text",
    "list_text",
    "log_of",
    "log_text",
    "parse_block",
    "parse_log",
    "print_block",
    "print_log",
    "read_block",
    "read_log",
    "time_of_name",
    "write_marked_texts",
]
