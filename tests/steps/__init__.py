"""What the longer targets of the Makefile do."""
