"""The rows of each result, declared once: a record, and the Schema that is made of it."""
