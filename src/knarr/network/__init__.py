"""Networks: links, addresses, routes, published ports, names; planned purely, done by netlink.

May import: runtime, store, events, kernel, spec, errors, ids.
"""
