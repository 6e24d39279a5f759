"""What goes into the statistics runner and what comes out of it, byte for byte.

Standard input: ``u32(length) || job || data``, the job as canonical JSON, the data up to the end of the pipe.
Standard output: messages ``kind || u32(length) || payload``: what holds the process in (``I``, before anything was
read), then the report (``R``) and its page (``P``), or one line that says why there is none (``E``).

The parent trusts nothing that comes out: every length is bounded before anything is read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from anchor import canonical
from anchor.canonical import JSONValue
from anchor.errors import MalformedError
from rng_service.statistics.plans import MAX_PLAN_BYTES

__all__ = [
    "ERROR",
    "ISOLATION",
    "MAX_JOB_BYTES",
    "MAX_PAYLOAD_BYTES",
    "PAGE",
    "REPORT",
    "Job",
    "read_exactly",
    "read_job",
    "read_message",
    "read_verdict",
    "write_job",
    "write_message",
]

ISOLATION: Final = b"I"
REPORT: Final = b"R"
PAGE: Final = b"P"
ERROR: Final = b"E"
MAX_PAYLOAD_BYTES: Final[Mapping[bytes, int]] = {ISOLATION: 1 << 14, REPORT: 1 << 23, PAGE: 1 << 23, ERROR: 1 << 12}
# Nearly all of it are the weights of a lookup table.
MAX_JOB_BYTES: Final = 1 << 26

_FORMAT: Final = "sealdraw/statistics-job@v1"
_SUBJECTS: Final = ("opened", "test-stream")
_VERDICTS: Final = ("pass", "suspicious", "fail")
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Job:
    """What the runner is to do: run number ``run`` by the document ``plan``, over data of ``subject``.

    ``description`` and ``facts`` go into the report as they are. ``shape`` says what opened outcomes look like
    (`rng_service.statistics.runner_shapes`); a test stream has none.
    """

    run: int
    subject: str
    plan: bytes
    description: str
    facts: tuple[tuple[str, str], ...] = ()
    shape: Sequence[JSONValue] | None = None

    def to_bytes(self) -> bytes:
        """Return the job as canonical JSON."""
        document: dict[str, JSONValue] = {
            "description": self.description,
            "facts": [list(fact) for fact in self.facts],
            "format": _FORMAT,
            "plan": self.plan.decode("ascii"),
            "run": self.run,
            "subject": self.subject,
        }
        if self.shape is not None:
            document["shape"] = list(self.shape)
        return canonical.encode(document)


def write_job(stream: IO[bytes], job: Job) -> None:
    """Write the beginning of the runner's input; data follow."""
    data = job.to_bytes()
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    stream.flush()


def read_job(stream: IO[bytes]) -> Job:
    """Read what `write_job` wrote; raises MalformedError for anything else."""
    length = int.from_bytes(read_exactly(stream, _LENGTH_BYTES, "job"), "big")
    if length > MAX_JOB_BYTES:
        raise MalformedError(f"job: {length} bytes, expected at most {MAX_JOB_BYTES}")
    data = read_exactly(stream, length, "job")
    members = canonical.decode_object(data, limit=MAX_JOB_BYTES, what="job")
    if members.keys() - {"shape"} != {"description", "facts", "format", "plan", "run", "subject"}:
        raise MalformedError("job: not the members of one")
    run, plan, facts, shape = members["run"], members["plan"], members["facts"], members.get("shape")
    if members["format"] != _FORMAT or type(run) is not int or run < 1 or members["subject"] not in _SUBJECTS:
        raise MalformedError(f"job: expected the format {_FORMAT}, a run from 1 and a subject")
    if not isinstance(plan, str) or len(plan) > MAX_PLAN_BYTES or not isinstance(members["description"], str):
        raise MalformedError("job: expected a plan and a description")
    if not isinstance(facts, list) or any(not _is_fact(fact) for fact in facts):
        raise MalformedError("job: facts are pairs of texts")
    if (shape is not None) != (members["subject"] == "opened") or not isinstance(shape, list | None):
        raise MalformedError("job: opened outcomes, and nothing else, have a shape")
    return Job(
        run,
        str(members["subject"]),
        plan.encode("ascii"),
        members["description"],
        tuple((str(name), str(value)) for name, value in facts),
        shape,
    )


def _is_fact(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value)


def write_message(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    """Write one message; an error that is too long is cut, anything else that is raises ValueError."""
    if kind == ERROR:
        payload = payload[: MAX_PAYLOAD_BYTES[ERROR]]
    if len(payload) > MAX_PAYLOAD_BYTES[kind]:
        raise ValueError(f"a message of {len(payload)} bytes, expected at most {MAX_PAYLOAD_BYTES[kind]}")
    stream.write(kind + len(payload).to_bytes(_LENGTH_BYTES, "big") + payload)
    stream.flush()


def read_message(stream: IO[bytes], kind: bytes) -> bytes:
    """Return the payload of the next message, which has to be of ``kind``.

    Raises MalformedError for any other, with the words of the runner when it is an error, and for one that is too long
    or cut short.
    """
    found = read_exactly(stream, 1, "message of the runner")
    if found not in MAX_PAYLOAD_BYTES:
        raise MalformedError(f"message of the runner: unknown kind {found!r}")
    length = int.from_bytes(read_exactly(stream, _LENGTH_BYTES, "message of the runner"), "big")
    if length > MAX_PAYLOAD_BYTES[found]:
        raise MalformedError(f"message of the runner: {length} bytes, expected at most {MAX_PAYLOAD_BYTES[found]}")
    payload = read_exactly(stream, length, "message of the runner")
    if found != kind:
        said = f": {payload.decode('ascii', 'replace')}" if found == ERROR else f", expected {kind!r}"
        raise MalformedError(f"message of the runner: {found!r}{said}")
    return payload


def read_exactly(stream: IO[bytes], size: int, what: str) -> bytes:
    """Return ``size`` bytes; raises MalformedError when ``stream`` ends before."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    if size > 0:
        raise MalformedError(f"{what}: it ends {size} bytes too early")
    return b"".join(parts)


def read_verdict(report: bytes) -> str:
    """Return the verdict that a report states; whether it is a report is for `rng_service.verify.statistics_report`.

    Raises MalformedError when it states none that a finished run can have.
    """
    try:
        members = json.loads(report.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"report of the runner: {error}") from None
    verdict = members.get("verdict") if isinstance(members, dict) else None
    if verdict not in _VERDICTS:
        raise MalformedError(f"report of the runner: no verdict {str(verdict)[:32]!r}")
    return str(verdict)
