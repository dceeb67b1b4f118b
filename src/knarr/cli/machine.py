"""The machine that the client runs on, in the names of image platforms."""

from __future__ import annotations

import os

_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm", "armv6l": "arm"}


def machine_name() -> str:
    """``amd64``, ``arm64``, …"""
    machine = os.uname().machine
    return _NAMES.get(machine, machine)
