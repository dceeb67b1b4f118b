"""Where a container's output goes beyond its log on disk: the options, the forms, the sending.

Whatever the driver, the keeper writes the log on disk (runtime/log.py): ``docker logs`` reads it
there, and so does sending.py for the drivers that send it elsewhere, so that no container waits for
a server. options.py says what may be asked, details.py what is said of a container beside its
lines, lines.py what a line is, syslog.py and journald.py how it looks, destinations.py who takes
it.
"""
