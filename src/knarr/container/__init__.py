"""Containers: from what somebody asked for to a running process, and back to rest.

May import: image, network, volume, snapshot, runtime, store, events, spec, errors, ids.
"""
