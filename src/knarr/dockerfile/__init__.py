"""The Dockerfile language: from text to a graph of operations.

May import: build (its operations), spec, errors.
"""
