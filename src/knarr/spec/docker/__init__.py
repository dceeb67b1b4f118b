"""Documents of the Docker Engine API, by the names of its public description (1.51 and later)."""
