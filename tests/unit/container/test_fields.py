from typing import Any

import msgspec
import pytest
from msgspec import inspect

from knarr.container import fields
from knarr.spec.docker.container import ContainerConfig, ContainerUpdate, HostConfig, Mount


def names(kind: type[msgspec.Struct], *, within: str = "") -> set[str]:
    """The keys of a document, those of documents inside it with a dot."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        found.add(within + field.encode_name)
        for part in _parts(inspect.type_info(field.type)):
            if isinstance(part, inspect.StructType) and not within:
                found |= names(part.cls, within=f"{field.encode_name}.")
    return found


def _parts(shape: Any) -> tuple[Any, ...]:
    return shape.types if isinstance(shape, inspect.UnionType) else (shape,)


def top_level(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    ("table", "present"),
    [
        (fields.CONFIG, top_level(ContainerConfig)),
        (fields.HOST_CONFIG, top_level(HostConfig)),
        (fields.RESOURCES, top_level(ContainerUpdate) - {"RestartPolicy"}),
        (fields.MOUNT, names(Mount)),
    ],
)
def test_every_field_is_honoured_or_refused_by_name(
    table: dict[str, str], present: set[str]
) -> None:
    assert set(table) == present


def test_each_says_how() -> None:
    for table in (fields.CONFIG, fields.HOST_CONFIG, fields.MOUNT):
        for said in table.values():
            assert said.partition(":")[0] in ("used", "kept", "refused")
