"""Layers as directories a container can stand on, and each container's own writable layer.

May import: content, store, events, kernel, spec, errors, ids.
"""
