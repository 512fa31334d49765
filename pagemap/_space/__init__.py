"""One target: who it is, its mappings, its page table; and every process of the machine, once."""
