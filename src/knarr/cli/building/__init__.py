"""What ``knarr build`` does on this side: find and send the context, show the steps, keep results.

May import: cli, client, patterns, errors, units.
"""
