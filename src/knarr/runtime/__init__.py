"""OCI runtimes: a bundle on disk, a process out of it, asked for through the keeper.

May import: store, events, kernel, keeper (its wire), spec, errors, ids.
"""
