"""Parsers of NIST's two vector formats for CTR_DRBG; see tests/vectors/drbg/README.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "vectors" / "drbg"


@dataclass
class Record:
    """One COUNT of a response file; lists keep the order of the two generate calls."""

    where: str
    use_df: bool
    prediction_resistance: bool
    single: dict[str, bytes] = field(default_factory=dict)
    additional: list[bytes] = field(default_factory=list)
    entropy_pr: list[bytes] = field(default_factory=list)


def cavp_records(path: Path) -> Iterator[Record]:
    use_df = prediction_resistance = False
    record: Record | None = None
    aes_256 = False
    for number, raw in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            if " df]" in line:
                aes_256 = line.startswith("[AES-256")
                use_df = line.endswith("use df]")
            if line.startswith("[PredictionResistance"):
                prediction_resistance = "True" in line
        elif aes_256 and "=" in line and not line.startswith("#"):
            name, _, value = (part.strip() for part in line.partition("="))
            if name == "COUNT":
                record = Record(f"{path.name}:{number}", use_df, prediction_resistance)
                continue
            assert record is not None
            data = bytes.fromhex(value)
            if name == "AdditionalInput":
                record.additional.append(data)
            elif name == "EntropyInputPR":
                record.entropy_pr.append(data)
            else:
                record.single[name] = data
                if name == "ReturnedBits":
                    yield record


@dataclass
class Example:
    prediction_resistance: bool
    fields: dict[str, bytes]
    outputs: list[bytes]


def worked_examples(path: Path) -> Iterator[Example]:
    for section in path.read_text(encoding="ascii").split("Requested Security Strength = 256")[1:]:
        header = section.split("####")[0]
        fields = {
            name.strip(): bytes.fromhex(re.sub(r"[\s-]", "", value))
            for name, value in re.findall(
                r"^(\w+)(?: \([^)]*\))? =[ ]*((?:<empty>)?[0-9A-F\s-]*)$",
                header.replace("<empty>", ""),
                re.MULTILINE,
            )
        }
        outputs = [
            bytes.fromhex("".join(match.split()))
            for match in re.findall(r"rnd_val is\s+((?:[0-9A-F]{8}\s+)+)", section + "\n")
        ]
        yield Example('"ENABLED"' in header, fields, outputs)
