"""An address space, or frames, in; a result out: one file each."""
