"""Networks and volumes of a project: made, refused, replaced under the containers that use them."""

from dataclasses import dataclass, field

from knarr.compose import labels
from knarr.compose.actions import (
    CreateNetwork,
    CreateVolume,
    Disconnect,
    RemoveNetwork,
    RemoveVolume,
)
from knarr.compose.draft import Draft
from knarr.compose.observed import RUNNING, name_of
from knarr.compose.reasons import is_on
from knarr.compose.rendering import network_hash, volume_hash
from knarr.compose.translation import is_external
from knarr.errors import InvalidArgument, NotFound
from knarr.spec.docker.network import Network


@dataclass(slots=True)
class ResourcePlan:
    """Adds to a draft. replaced_networks: by key, the action that makes the new one."""

    draft: Draft
    replaced_networks: dict[str, str] = field(default_factory=dict)

    def network(self, key: str) -> None:
        """Raises NotFound for a missing external one, InvalidArgument for a foreign one."""
        declared = self.draft.project.networks[key]
        name = declared["name"]
        there = self.draft.observed.network(name)
        if is_external(declared):
            if there is None:
                raise NotFound(f"network {name} declared as external, but could not be found")
            return
        if there is None:
            self.draft.add(CreateNetwork(key=f"network {key}", network=key, full_name=name))
            return
        self._refuse_foreign_network(key, there)
        known = there.labels.get(labels.CONFIG_HASH, "")
        if known and known != network_hash(declared):
            self._replace_network(key, there)

    def _refuse_foreign_network(self, key: str, there: Network) -> None:
        owner = there.labels.get(labels.PROJECT)
        hint = "Set `external: true` to use an existing network"
        if owner is None:
            self.draft.warnings.append(
                f"a network with name {there.name} exists but was not created by compose.\n{hint}"
            )
        elif owner != self.draft.project.name:
            self.draft.warnings.append(
                f"a network with name {there.name} exists but was not created for project "
                f'"{self.draft.project.name}".\n{hint}'
            )
        label = there.labels.get(labels.NETWORK, "")
        if label != key:
            raise InvalidArgument(
                f"network {there.name} was found but has incorrect label {labels.NETWORK} "
                f'set to "{label}" (expected: "{key}")'
            )

    def _replace_network(self, key: str, there: Network) -> None:
        attached = [each for each in self.draft.observed.containers if is_on(each, there.id)]
        ends = []
        for container in attached:
            before = frozenset([self.draft.stop(container)] if container.state == RUNNING else [])
            ends.append(
                self.draft.add(
                    Disconnect(
                        key=f"disconnect {name_of(container)} {key}",
                        after=before,
                        container=name_of(container),
                        network_id=there.id,
                        full_name=there.name,
                    )
                )
            )
        removed = self.draft.add(
            RemoveNetwork(
                key=f"remove network {key}",
                after=frozenset(ends),
                full_name=there.name,
                id=there.id,
            )
        )
        self.replaced_networks[key] = self.draft.add(
            CreateNetwork(
                key=f"network {key}",
                after=frozenset([removed]),
                network=key,
                full_name=there.name,
            )
        )

    def volume(self, key: str) -> None:
        """Raises NotFound for an external one that is missing."""
        declared = self.draft.project.volumes[key]
        name = declared["name"]
        there = self.draft.observed.volumes.get(name)
        if there is None:
            if is_external(declared):
                raise NotFound(f'external volume "{name}" not found')
            self.draft.add(CreateVolume(key=f"volume {key}", volume=key, full_name=name))
            return
        if is_external(declared):
            return
        owner = (there.labels or {}).get(labels.PROJECT)
        if owner is None:
            self.draft.warnings.append(
                f'volume "{name}" already exists but was not created by Docker Compose. '
                "Use `external: true` to use an existing volume"
            )
        elif owner != self.draft.project.name:
            self.draft.warnings.append(
                f'volume "{name}" already exists but was created for project "{owner}" '
                f'(expected "{self.draft.project.name}"). '
                "Use `external: true` to use an existing volume"
            )
        known = (there.labels or {}).get(labels.CONFIG_HASH)
        if known is not None and known != volume_hash(declared):
            self._diverged_volume(key, name)

    def _diverged_volume(self, key: str, name: str) -> None:
        if not self.draft.options.replace_volumes:
            self.draft.warnings.append(
                f'Volume "{name}" exists but doesn\'t match configuration in compose file. '
                "It is kept as it is; --yes recreates it, and its data is lost"
            )
            return
        users = [
            each
            for each in self.draft.observed.containers
            if any(m.name == name for m in each.mounts)
        ]
        ends = [self.draft.stop_and_remove(each) for each in users]
        removed = self.draft.add(
            RemoveVolume(key=f"remove volume {key}", after=frozenset(ends), full_name=name)
        )
        self.draft.add(
            CreateVolume(
                key=f"volume {key}", after=frozenset([removed]), volume=key, full_name=name
            )
        )
