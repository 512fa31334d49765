"""The names, units and meanings of flags and results: pure data, nothing compiled."""
