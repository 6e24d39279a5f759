"""What tests cannot see: an operator who chooses among good seeds, measured with the service's own code.

`python -m bench.grinding`. `operator` seals pools and chooses, `examination` puts what was chosen through every
battery, `experiments` are the five rows of docs/what-tests-cannot-see.md.
"""
