"""Getting along with other firewalls on the host.

In nftables a packet passes when *every* table lets it through: Docker, ufw and others set the
policy of iptables' FORWARD chain to drop, and no rule of ours can overrule that from outside. So
where such a chain is, one rule is put at its head, which accepts what our own table has let
through and marked. It names no interface and no container: it is put there once.
"""

import shutil
import subprocess
from typing import Final

from knarr.network.ruleset import MARK

_COMMENT: Final = "let through by {table}"
_LEGACY_TABLES: Final = {
    "iptables": "/proc/net/ip_tables_names",
    "ip6tables": "/proc/net/ip6_tables_names",
}


class Iptables:
    """Our rule in the FORWARD chains of iptables, where iptables is in use.

    Written by iptables itself: rules that it did not write make it refuse the whole table.
    """

    def __init__(self, table: str) -> None:
        self._rule = (
            "-m", "mark", "--mark", f"{MARK:#x}/{MARK:#x}",
            "-m", "comment", "--comment", _COMMENT.format(table=table), "-j", "ACCEPT",
        )  # fmt: skip

    def let_through(self, programs: "list[str]") -> None:
        """Put the rule in where it is missing. ``programs``: as ``in_use`` gives them."""
        for program in programs:
            if not self._run(program, "-C"):
                self._run(program, "-I")

    def withdraw(self, programs: "list[str]") -> None:
        for program in programs:
            while self._run(program, "-D"):
                pass

    def _run(self, program: str, verb: str) -> bool:
        argv = (program, "-w", "5", verb, "FORWARD", *self._rule)
        done = subprocess.run(argv, capture_output=True, check=False, timeout=30)
        return done.returncode == 0


def in_use(nft_chains: "set[tuple[str, str]]") -> list[str]:
    """The programs whose FORWARD chain exists, and are there to change it.

    nft_chains: ("ip" or "ip6", name) of the base chains of tables named ``filter``.
    """
    found: list[str] = []
    for program, family in (("iptables", "ip"), ("ip6tables", "ip6")):
        if (family, "FORWARD") in nft_chains:
            found.append(shutil.which(f"{program}-nft") or program)
        if _has_legacy(program):
            found.append(shutil.which(f"{program}-legacy") or program)
    return [program for program in found if shutil.which(program)]


def _has_legacy(program: str) -> bool:
    try:
        with open(_LEGACY_TABLES[program]) as file:
            return "filter" in file.read().split()
    except OSError:
        return False
