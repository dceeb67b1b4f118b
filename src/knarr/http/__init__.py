"""HTTP/1.1 for the Engine API: a server and a sans-IO client core; hijacks, chunked streams.

feed.py and outflow.py are the bodies' way to a thread and from one.

May import: the standard library, h11, wsproto, errors.
"""
