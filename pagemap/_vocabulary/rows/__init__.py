"""The rows of each result, declared once: a Record class, and the Schema made from it."""
