"""What is said of a container beside its lines: its tag, and the labels and variables asked for.

Source: Docker's pages "Customize log driver output" and on each driver's options.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from knarr.container.model import Container
from knarr.errors import InvalidArgument
from knarr.ids import short
from knarr.template import OpenMap, Template, TemplateError

DEFAULT_TAG: Final = "{{.ID}}"
_NAME: Final = "log-tag"


@dataclass(frozen=True, slots=True)
class TagFields:
    """What a template of a tag may name."""

    values: Mapping[str, Any]
    go_type: str = "*logger.Info"

    def field(self, name: str) -> Any:
        return self.values[name]


def check_tag(source: str) -> None:
    """Raises InvalidArgument, in Go's words, for what is no template."""
    _template(source)


def tag(container: Container, default: str = DEFAULT_TAG) -> str:
    """What the option ``tag`` makes of it, or else ``default``.

    Raises InvalidArgument for a template that does not fit this container.
    """
    config, options = container.record.config, _options(container)
    command = " ".join((*(config.entrypoint or ()), *(config.cmd or ())))
    fields = _fields(
        container.id,
        container.name,
        container.image or "",
        container.record.image_name,
        command,
        config.labels,
        _environment(container),
    )
    return _rendered(options.get("tag") or default, fields)


def details(container: Container) -> dict[str, str]:
    """The labels and variables that were asked for, by name."""
    options = _options(container)
    labels = container.record.config.labels
    return {
        **dict(_chosen(labels, options.get("labels", ""), options.get("labels-regex", ""))),
        **dict(
            _chosen(_environment(container), options.get("env", ""), options.get("env-regex", ""))
        ),
    }


def _options(container: Container) -> Mapping[str, str]:
    config = container.record.host.log_config
    return config.config if config is not None else {}


def _environment(container: Container) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in container.record.config.env)


def _chosen(values: Mapping[str, str], names: str, pattern: str) -> Iterator[tuple[str, str]]:
    wanted, matcher = set(names.split(",")), re.compile(pattern) if pattern else None
    for name, value in values.items():
        if name in wanted or (matcher is not None and matcher.search(name)):
            yield name, value


def _fields(
    container_id: str,
    name: str,
    image_id: str,
    image_name: str,
    command: str,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
) -> TagFields:
    return TagFields({
        "ID": short(container_id), "FullID": container_id, "Name": name,
        "ImageID": image_id[:12], "ImageFullID": image_id,  # cut as Docker does
        "ImageName": image_name, "DaemonName": "docker", "Command": command,
        "ContainerID": container_id, "ContainerName": f"/{name}",
        "ContainerImageID": image_id, "ContainerImageName": image_name,
        "ContainerLabels": OpenMap(labels),
        "ContainerEnv": [f"{key}={value}" for key, value in environment.items()],
    })  # fmt: skip


def _template(source: str) -> Template:
    try:
        return Template(source, name=_NAME)
    except TemplateError as error:
        raise InvalidArgument(str(error)) from error


def _rendered(source: str, fields: TagFields) -> str:
    try:
        return _template(source).render(fields)
    except TemplateError as error:
        raise InvalidArgument(str(error)) from error
