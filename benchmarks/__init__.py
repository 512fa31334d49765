"""Benchmarks: what pagemap costs beside the kernel's floor and the usual ways (see README.md)."""
