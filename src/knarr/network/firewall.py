"""Getting along with other firewalls on the host.

In nftables a packet passes when *every* table lets it through: Docker, ufw, firewalld and others
end their forward chains with a drop, and no rule of ours can overrule that from outside. So where
such a chain is, one rule is put at its head, which accepts what our own table has let through and
marked. It names no interface and no container: it is put there once.
"""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from typing import Final

from knarr.kernel import nftables
from knarr.kernel.nftables import BaseChain, NfTables, PlacedRule
from knarr.network.ruleset import MARK

_FILTER: Final = "filter"
_FORWARD: Final = "FORWARD"
_PROGRAMS: Final = {nftables.IPV4: "iptables", nftables.IPV6: "ip6tables"}
_LEGACY_TABLES: Final = {
    "iptables": "/proc/net/ip_tables_names",
    "ip6tables": "/proc/net/ip6_tables_names",
}
_REJECT_AT_THEIR_END: Final = frozenset({("firewalld", "filter_FORWARD")})


class Passage:
    """Our rule in the forward chains of others. ``table`` is ours, and says whose rule it is."""

    def __init__(self, nft: NfTables, table: str) -> None:
        self._nft = nft
        self._table = table
        self._comment = f"let through by {table}"

    def open(self) -> list[str]:
        """Put the rule in wherever it is missing. Returns the chains that got it."""
        chains = [each for each in self._nft.chains() if self._is_foreign(each)]
        programs = [
            program
            for program in _iptables_in_use(chains)
            if not self._iptables(program, "-C") and self._iptables(program, "-I")
        ]
        return [
            *(f"{each.table} {each.name}" for each in chains if self._open_chain(each)),
            *(f"{program} {_FORWARD}" for program in programs),
        ]

    def close(self) -> None:
        """Take the rule out of everywhere."""
        chains = [each for each in self._nft.chains() if self._is_foreign(each)]
        for chain in chains:
            if not _is_iptables(chain):
                self._nft.commit(
                    [nftables.remove_rule(chain, each.handle) for each in self._ours(chain)]
                )
        for program in _iptables_in_use(chains):
            while self._iptables(program, "-D"):
                pass

    def _is_foreign(self, chain: BaseChain) -> bool:
        families = (nftables.INET, *_PROGRAMS)
        ours = chain.family == nftables.INET and chain.table == self._table
        return chain.hook == nftables.FORWARD and chain.family in families and not ours

    def will_open(self, chain: BaseChain) -> bool:
        """Whether our rule is at its head while containers run."""
        if _is_iptables(chain):
            return shutil.which(_PROGRAMS[chain.family]) is not None
        return self._is_foreign(chain) and _stands_against(chain)

    def _open_chain(self, chain: BaseChain) -> bool:
        """Chains that drop nothing by themselves are left alone."""
        if _is_iptables(chain) or not _stands_against(chain) or self._ours(chain):
            return False
        rule = (*nftables.mark_has(MARK), nftables.verdict("accept"))
        self._nft.commit([nftables.insert_rule(chain, rule, self._comment)])
        return True

    def _ours(self, chain: BaseChain) -> Sequence[PlacedRule]:
        return [each for each in self._nft.rules(chain) if each.comment == self._comment]

    def _iptables(self, program: str, verb: str) -> bool:
        """Rules that iptables did not write itself make it refuse its whole table."""
        argv = (
            program, "-w", "5", verb, _FORWARD, "-m", "mark", "--mark", f"{MARK:#x}/{MARK:#x}",
            "-m", "comment", "--comment", self._comment, "-j", "ACCEPT",
        )  # fmt: skip
        done = subprocess.run(argv, capture_output=True, check=False, timeout=30)
        return done.returncode == 0


def _stands_against(chain: BaseChain) -> bool:
    return chain.drops or (chain.table, chain.name) in _REJECT_AT_THEIR_END


def _is_iptables(chain: BaseChain) -> bool:
    """Whether iptables-nft made the chain."""
    return chain.family in _PROGRAMS and (chain.table, chain.name) == (_FILTER, _FORWARD)


def _iptables_in_use(chains: Iterable[BaseChain]) -> list[str]:
    """The programs whose FORWARD chain is there, in nftables or in the older tables."""
    found: list[str] = []
    families = {chain.family for chain in chains if _is_iptables(chain)}
    for family, program in _PROGRAMS.items():
        if family in families:
            found.append(shutil.which(f"{program}-nft") or program)
        if _has_legacy(program):
            found.append(shutil.which(f"{program}-legacy") or program)
    return [program for program in found if shutil.which(program)]


def _has_legacy(program: str) -> bool:
    try:
        with open(_LEGACY_TABLES[program]) as file:
            return _FILTER in file.read().split()
    except OSError:
        return False
