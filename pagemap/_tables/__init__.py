"""Results in columns, and the ways to hand them on."""
