"""Ground floor: dates, paths, settings, errors, files, logging, progress. Imports nothing of qcbench."""
