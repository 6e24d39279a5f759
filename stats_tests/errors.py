"""What can go wrong in front of a battery.

StatsError                 everything this package raises about a run
├── InputError             the bits cannot be used as they are: the caller must bring others, or say what they are
└── WorkerError            a process that shared the work is gone: whoever runs the machine must find out why
"""

__all__ = ["InputError", "StatsError", "WorkerError"]


class StatsError(Exception):
    """A battery cannot go on; the message says what was expected, found, and what to do."""


class InputError(StatsError):
    """The bits cannot be used: empty, shorter than one sequence, or text where raw bytes are read."""


class WorkerError(StatsError):
    """A worker process ended in the middle of its work; results that were yielded before stand."""
