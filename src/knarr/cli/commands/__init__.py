"""One file a command, found by its path: only the called one is imported."""
