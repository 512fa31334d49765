"""Results as people read them: tables."""
