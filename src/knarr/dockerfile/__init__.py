"""The Dockerfile language: from text to a graph of operations.

source.py and lexer.py know lines, line.py knows arguments, instructions/ hold one instruction a
file, lower.py makes the plan, checks/ hold one rule a file.
May import: build (its operations), spec, errors, reference, units, patterns.
"""

from knarr.dockerfile.lower import bases_needed, lower
from knarr.dockerfile.model import Dockerfile, parse_dockerfile
from knarr.dockerfile.plan import BaseRequest, BuildOptions, NamedContext, Plan, Step
from knarr.dockerfile.source import BuildError, DockerfileError

__all__ = [
    "BaseRequest",
    "BuildError",
    "BuildOptions",
    "Dockerfile",
    "DockerfileError",
    "NamedContext",
    "Plan",
    "Step",
    "bases_needed",
    "lower",
    "parse_dockerfile",
]
