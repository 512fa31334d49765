"""One file for each file or interface of the kernel: bytes or text in, numbers out."""
