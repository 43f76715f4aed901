"""The cascades of the pipelines, run for real on simulated nights, and what they find against what was put in."""
