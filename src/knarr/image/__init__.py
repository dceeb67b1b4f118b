"""Images: names for a config and a chain of layers; load, save, import, tag, remove, history.

May import: snapshot, content, store, events, spec, errors, ids.
"""
