"""Where an OCI runtime hands over the terminal that it made for a container."""

import contextlib
import os
import socket


class Console:
    """A socket named ``name`` in ``folder``, there for one start."""

    def __init__(self, folder: str, name: str) -> None:
        self._path = f"{folder}/{name}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A socket's address holds 107 bytes, less than a folder's path may have.
            self._socket.bind(f"/proc/self/fd/{directory}/{name}")
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(directory)
        self._socket.listen(1)
        self._socket.setblocking(False)

    def take(self) -> int | None:
        """The terminal's master side, once the runtime is over; None if it handed none over."""
        try:
            with contextlib.closing(self._socket.accept()[0]) as connection:
                connection.setblocking(False)
                _, masters, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
                return masters[0] if masters else None
        except BlockingIOError:
            return None
        finally:
            self.close()

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
