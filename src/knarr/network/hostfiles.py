"""The host's own resolver configuration, read when it changes."""

import os

from knarr.network.resolv import HOST_FILE, RESOLVED_FILE, ResolvConf


class HostResolvConf:
    """``/etc/resolv.conf`` as it is now; behind systemd-resolved's stub, what the stub stands for.

    Without a file there are no servers, as resolv.conf(5) has it.
    """

    def __init__(self, path: str = HOST_FILE, behind_stub: str = RESOLVED_FILE) -> None:
        self._path, self._behind_stub = path, behind_stub
        self._seen: tuple[int, ...] = ()
        self._parsed = ResolvConf()

    def read(self) -> ResolvConf:
        """For a container's own file."""
        own = self.own()
        return _parse(self._behind_stub) if own.is_stub else own

    def own(self) -> ResolvConf:
        """For programs on the host, the daemon among them: the stub itself, where there is one."""
        try:
            stat = os.stat(self._path)
        except OSError:
            return ResolvConf()
        mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if mark != self._seen:
            self._seen, self._parsed = mark, _parse(self._path)
        return self._parsed


def _parse(path: str) -> ResolvConf:
    try:
        with open(path, errors="replace") as file:
            return ResolvConf.parse(file.read())
    except OSError:
        return ResolvConf()
