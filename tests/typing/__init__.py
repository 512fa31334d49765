"""Programs as users type them: read by type checkers, and never run."""
