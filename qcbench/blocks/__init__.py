"""The Association Block in its historical text form, with its association log."""

from qcbench.blocks.text import BlockFile, CalibrationLine, block_of, log_text, parse_block, print_block

__all__ = ["BlockFile", "CalibrationLine", "block_of", "log_text", "parse_block", "print_block"]
