"""The solver: a content-addressed graph of operations, its cache, and what comes out.

May import: image, snapshot, runtime, content, store, events, spec, errors, ids.
"""
