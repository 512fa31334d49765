"""Repeated measurements of a process."""
