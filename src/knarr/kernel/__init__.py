"""Linux as functions that raise OSError: mounts, namespaces, cgroups, pidfds, openat2, netlink.

May import: the standard library alone: the keeper uses it too.
"""
