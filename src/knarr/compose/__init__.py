"""Compose: files to a project, a project to a plan, a plan to calls of the client.

May import: client, spec, errors, units, reference.
"""
