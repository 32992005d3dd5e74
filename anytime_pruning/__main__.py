"""Run the command line: `python -m anytime_pruning COMMAND`."""

import sys

from anytime_pruning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
