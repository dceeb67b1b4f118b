"""Commands of the engine itself."""
