"""Where the service and the statistical batteries meet: what outcomes look like, plans, runs, and their reports.

Import its modules by name: plans and reports are read without numpy, the rest needs it.
"""
