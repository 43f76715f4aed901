"""`python -m qcbench`: the command line, where its script is not on the path, as for a job of a pool."""

from qcbench.cli.main import main

if __name__ == "__main__":
    main()
