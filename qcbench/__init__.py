"""The quality-control workbench of an astronomical observatory."""

__version__ = "0.1.0"
