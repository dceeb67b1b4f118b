"""The Docker Engine API: one function an endpoint, over the services of the engine.

May import: engine and below, http, spec, errors.
"""
