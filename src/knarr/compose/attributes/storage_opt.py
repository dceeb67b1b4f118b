"""Options of the storage driver: ``size: 1G``."""

from knarr.compose.attribute import Attribute, to_host
from knarr.compose.shape import Options

STORAGE_OPT = Attribute(
    name="storage_opt",
    shape=Options(untyped=True),
    apply=to_host("storage_opt", dict),
    source="Compose Specification, services, storage_opt",
)
