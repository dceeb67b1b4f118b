"""A typed client of the Engine API: one sans-IO core, a blocking and an async face.

May import: http, spec, errors, ids, units, reference.
"""
