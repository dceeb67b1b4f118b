"""Files between here and a container: where they land (plan.py), and archives (pack.py, unpack.py).

The rules are those of ``cp -a`` as Docker has them: docker-cli reference, "container cp".
"""
