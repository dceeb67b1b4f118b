"""The labels by which Compose knows what is its own; knarr writes the same ones.

Source: docker/compose, pkg/api/labels.go, as seen on what it creates.
"""

from typing import Final

PREFIX: Final = "com.docker.compose."
PROJECT: Final = PREFIX + "project"
SERVICE: Final = PREFIX + "service"
VERSION: Final = PREFIX + "version"
WORKING_DIR: Final = PROJECT + ".working_dir"
CONFIG_FILES: Final = PROJECT + ".config_files"
ENVIRONMENT_FILE: Final = PROJECT + ".environment_file"
CONFIG_HASH: Final = PREFIX + "config-hash"
NUMBER: Final = PREFIX + "container-number"
ONE_OFF: Final = PREFIX + "oneoff"
SLUG: Final = PREFIX + "slug"
IMAGE: Final = PREFIX + "image"
IMAGE_BUILDER: Final = IMAGE + ".builder"
DEPENDS_ON: Final = PREFIX + "depends_on"
REPLACE: Final = PREFIX + "replace"
NETWORK: Final = PREFIX + "network"
VOLUME: Final = PREFIX + "volume"

# The Compose whose files, names and labels these are; tools look at it, so it is not knarr's own.
COMPOSE_VERSION: Final = "2.40.3"
YES: Final = "True"
NO: Final = "False"
