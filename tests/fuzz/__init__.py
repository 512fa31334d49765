"""How long the fuzzers run, and where they begin."""

import os

SECONDS = float(os.environ.get("FUZZ_SECONDS", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
