"""Commands of containers."""
