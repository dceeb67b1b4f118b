"""The command line, with Docker's words and flags.

May import: production, compose, client, http, spec, errors, units, reference.
"""
