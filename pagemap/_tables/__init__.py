"""Results as columns, and their export to Arrow."""
