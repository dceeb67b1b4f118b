"""Volumes: data that outlives a container, and the ways to mount it.

May import: store, events, kernel, spec, errors, ids.
"""
