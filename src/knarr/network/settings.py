"""What an engine's configuration says of networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from knarr.network.ipam import DEFAULT_POOLS
from knarr.network.model import AddressRange

_LINGER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How this engine's networks are to be.

    bind_address: where published ports are bound that name no address; ``127.0.0.1`` keeps them
    on this machine. pools: (range, prefix length) of subnets to choose from.
    icc: whether containers on the default bridge reach each other; if not, by links alone.
    linger_seconds: how long the default bridge and the ruleset outlive the last container.
    """

    bind_address: str = "0.0.0.0"
    pools: Sequence[tuple[AddressRange, int]] = DEFAULT_POOLS
    icc: bool = True
    linger_seconds: float = _LINGER_SECONDS
