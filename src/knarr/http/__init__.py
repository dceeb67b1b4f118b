"""HTTP/1.1 for the Engine API: a server and a sans-IO client core; hijacks, chunked streams.

May import: the standard library, h11, wsproto, errors.
"""
