"""One target: its identity, mappings and page table; and all processes, each once."""
