"""What the rows of lists show: the placeholders of ``--format``, one file per kind of row."""
