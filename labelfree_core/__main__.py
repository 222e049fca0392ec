"""``python -m labelfree_core`` is the same as ``labelfree``."""

import sys

from labelfree_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
