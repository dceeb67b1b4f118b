"""The verbs of the Engine API by noun: pure functions from arguments to a request.

One file per noun. The return type of each says what the engine answers; ``knarr.client.Client`` and
``knarr.client.AsyncClient`` are these functions, carried out.
"""
