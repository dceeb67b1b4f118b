"""From the flags of ``run`` and ``create`` to what the engine is asked for.

The flags are in options.py, the whole body in plan.py; each notation (mounts, ports, networks,
devices) has a file of its own, imported where its flag is used. All of it is pure.
"""
