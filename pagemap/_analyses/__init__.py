"""The analyses: each takes an address space, or frames, and returns a result; one file for each."""
