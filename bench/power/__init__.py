"""What the batteries find, measured: bad generators and mappings until they are caught, good ones many times over.

`python -m bench.power` from the root of the repository. Each room has one concern: `recurrences` and `bits` make raw
bits, `seeded` streams from short seeds, `mappings` outcomes, `batteries` asks, `search` doubles the size until
something is found, `calibration` runs good generators, `table` writes what docs/power.md shows.
"""
