import os
import select

from knarr.cli.attached import STDIN_FD, STDOUT_FD, write_all
from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.client.blocking import RECEIVE, dial


@command("system dial-stdio")
def dial_stdio(cli: Cli) -> None:
    """Put a connection to the engine on standard input and output"""
    endpoint, _ = cli.endpoint()
    connection = dial(endpoint)
    poll = select.poll()
    poll.register(STDIN_FD, select.POLLIN)
    poll.register(connection.fileno(), select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == STDIN_FD:
                data = os.read(STDIN_FD, RECEIVE)
                if data:
                    connection.sendall(data)
                else:
                    poll.unregister(STDIN_FD)
                    connection.shutdown(1)
            else:
                data = connection.recv(RECEIVE)
                if not data:
                    return
                write_all(STDOUT_FD, data)
