"""Where the service and the statistical batteries meet: plans, what outcomes look like, and where they are read from.

Nothing is gathered here: `plans` is for auditors, who need no numpy, and the other modules do.
"""
