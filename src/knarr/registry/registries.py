"""All registries as one engine reaches them: its table, its connections, a request's logins."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from knarr.reference import Reference
from knarr.registry.cancellation import Cancellation
from knarr.registry.client import RegistryClient
from knarr.registry.conversation import Patience
from knarr.registry.retry import RetryPolicy
from knarr.registry.table import Endpoint, RegistryTable
from knarr.registry.transport import Transport
from knarr.spec.docker.auth import AuthConfig, hostname, login_for, server_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """Who the caller is, by server. Each is shown to its own registry and to no other."""

    by_server: Mapping[str, AuthConfig] = field(default_factory=dict)

    @classmethod
    def for_reference(cls, login: AuthConfig, reference: Reference) -> "Logins":
        """The one login that came with a request about ``reference``.

        A client that says for which server it is, and means another one, is not taken at its
        word: the login stays unused.
        """
        server = server_of(reference.domain)
        given = server_of(hostname(login.serveraddress))
        if not login or (login.serveraddress and hostname(given) != hostname(server)):
            return cls()
        return cls(by_server={server: login})

    def for_domain(self, domain: str) -> AuthConfig:
        return login_for(self.by_server, domain)


class Registries:
    """Makes clients. Shared by pull, push, search and build; safe to use from any thread."""

    def __init__(
        self,
        table: RegistryTable,
        transport: Transport,
        policy: RetryPolicy | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.table = table
        self._transport = transport
        self._policy = policy or RetryPolicy()
        self._chance = chance
        self._schemes: dict[str, str] = {}

    def trusting(self, host: str) -> "Registries":
        """The same, to whom plain HTTP will do for one more host: for one request."""
        table = replace(self.table, insecure_hosts=self.table.insecure_hosts | {host})
        return Registries(table, self._transport, self._policy, self._chance)

    def pullers(
        self, reference: Reference, logins: Logins, cancellation: Cancellation
    ) -> tuple[RegistryClient, ...]:
        """Who to ask for an image, in this order; the registry itself is the last.

        A registry that is blocked can still be pulled through its mirrors.
        """
        endpoints = self.table.pull_endpoints(reference)
        return tuple(self._client(each, logins, cancellation, ("pull",)) for each in endpoints)

    def pusher(
        self,
        reference: Reference,
        logins: Logins,
        cancellation: Cancellation,
        *,
        actions: tuple[str, ...] = ("pull", "push"),
    ) -> RegistryClient:
        """The registry itself, to write to (or ``delete``)."""
        endpoint = self.table.push_endpoint(reference)
        return self._client(endpoint, logins, cancellation, actions)

    def host(self, domain: str, logins: Logins, cancellation: Cancellation) -> RegistryClient:
        """A registry as such: its API check, its catalog."""
        endpoint = self.table.host_endpoint(domain)
        return self._client(endpoint, logins, cancellation, (), offline=True)

    def _client(
        self,
        endpoint: Endpoint,
        logins: Logins,
        cancellation: Cancellation,
        actions: tuple[str, ...],
        *,
        offline: bool = False,
    ) -> RegistryClient:
        return RegistryClient(
            self._transport,
            endpoint,
            logins.for_domain(endpoint.domain),
            Patience(policy=self._policy, chance=self._chance, cancellation=cancellation),
            actions=actions,
            schemes=self._schemes,
            offline=offline,
        )

    def close(self) -> None:
        self._transport.close()
