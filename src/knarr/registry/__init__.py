"""The distribution protocol: a client, a server, credentials, mirrors.

May import: content, store, events, kernel, http, spec, errors, ids.
"""
