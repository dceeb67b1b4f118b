"""The small program that outlives the daemon: parent of containers, holder of their stdio.

main.py is how it starts and ends, server.py what it can be asked, task.py one process of a
container from start to exit, stdio.py and attach.py the bytes in between, record.py the log's form
on disk, journal.py what must survive the keeper itself, wire.py the messages.
May import: the standard library and kernel alone.
"""
