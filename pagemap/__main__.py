"""The command, as `python -m pagemap`."""

import sys

from pagemap.cli import main

sys.exit(main())
