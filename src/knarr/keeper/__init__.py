"""The small program that outlives the daemon: parent of containers, holder of their stdio.

May import: the standard library and kernel alone.
"""
