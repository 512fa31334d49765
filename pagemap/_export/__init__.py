"""Results for programs: one file for each format; `dump` is the one whose rows are made in C."""
