"""What tests say of memory: checks that need no pytest, and a plugin for it.

`plugin` is what pytest loads in every run, so it is small; all else is imported when a test asks.
"""
