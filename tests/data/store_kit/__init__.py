"""Making, reading and altering backup stores in WAL-E's format, with the genuine tools.

Nothing here is part of the agent: what the tests expect must not come from the code under test.
Runs with Debian's python3 (3.11) and its standard library.
"""
