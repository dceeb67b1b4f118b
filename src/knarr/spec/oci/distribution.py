"""The registry's own documents: lists, and the form of its errors.

Source: OCI distribution-spec 1.1; distribution/distribution, catalog.
"""

from typing import Any

from knarr.spec.document import SnakeDocument


class TagList(SnakeDocument, omit_defaults=False):
    name: str = ""
    tags: tuple[str, ...] = ()


class Catalog(SnakeDocument, omit_defaults=False):
    repositories: tuple[str, ...] = ()


class RegistryErrorItem(SnakeDocument):
    """code: one of the specification's, such as ``MANIFEST_UNKNOWN``."""

    code: str = ""
    message: str = ""
    detail: Any = None


class RegistryErrors(SnakeDocument, omit_defaults=False):
    errors: tuple[RegistryErrorItem, ...] = ()
