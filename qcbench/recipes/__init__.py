"""The built-in recipes: the embedded engine, run as a process of its own for each AB.

``python -m qcbench.recipes run JOB.json`` runs one recipe, ``python -m qcbench.recipes list`` says which
there are. Nothing else imports this package: a crash of a recipe is a failed AB, never a failed workbench.
"""
