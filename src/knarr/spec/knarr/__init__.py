"""Documents of knarr's own endpoints, which other engines do not have."""
