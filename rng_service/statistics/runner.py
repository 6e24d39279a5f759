"""The statistics runner: ``python -m rng_service.statistics.runner``, started by the sequencer for one run.

It has no keys and no network, an empty environment, three descriptors and an empty directory. It gives up what it can
before it reads a byte (`runner_isolation`), reads its job and then the data from standard input (`runner_protocol`),
and writes a report. When the looks of the plan need no more data it stops reading, and whoever sends them sees that.

Exit status: 0 with a report, 1 without; the reason is the last message on standard output.
"""

import os
import signal
import sys
from typing import BinaryIO

from rng_service.statistics.runner_isolation import close_file_system, give_up, verify_isolation

__all__ = ["run"]


def main() -> int:
    """Isolate this process, then do its one job."""
    # A key that stops the service stops its runner by the end of a pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Before anything that is imported below could start a thread.
    measures = give_up()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    try:
        # The descriptor itself, so that closing it closes the pipe, which closing `sys.stdin` would not.
        return run(open(0, "rb"), sys.stdout.buffer, measures)
    except BrokenPipeError:
        # Nobody listens any more: the sequencer was stopped, or has killed this run.
        return 1


def run(stdin: BinaryIO, stdout: BinaryIO, measures: dict[str, str]) -> int:
    """Load what is needed, close the file system behind it, and answer the job that ``stdin`` brings."""
    # ruff: noqa: PLC0415 - numpy has threads and opens files: it is loaded between the two halves of the isolation
    import json

    from rng_service.statistics.report import report_bytes, report_document
    from rng_service.statistics.report_page import report_page
    from rng_service.statistics.runner_protocol import (
        ERROR,
        ISOLATION,
        PAGE,
        REPORT,
        read_job,
        write_message,
    )
    from rng_service.statistics.runner_work import examine, warm_up

    warm_up()
    os.environ.clear()
    isolation = {**measures, **close_file_system(), **verify_isolation()}
    write_message(stdout, ISOLATION, json.dumps(isolation, sort_keys=True).encode("ascii"))
    try:
        job = read_job(stdin)
        facts = [
            ("runner reaches a network", isolation["network_reachable"]),
            ("runner can read files", isolation["files_readable"]),
            ("runner reaches its parent", isolation["parent_reachable"]),
        ]
        document = report_document(examine(job, stdin, facts))
        document["isolation"] = isolation
        page = report_page(document)
        # The sender learns at once that no more is read, also while it waits for a full pipe.
        stdin.close()
        write_message(stdout, REPORT, report_bytes(document))
        write_message(stdout, PAGE, page)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the sequencer has to hear of it
        write_message(stdout, ERROR, f"{type(error).__name__}: {error}".encode("ascii", "replace"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
