"""The process: reads its settings, assembles the engine, serves the API.

May import: everything of the engine's tower.
"""
