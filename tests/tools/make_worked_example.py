"""Write the worked example: vectors, a public directory, receipts, and section 14 of PROTOCOL.md.

`--check` compares all of it with what is committed and exits with the first difference.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from vector_files import check_files, compare, write_files
from worked_example import Story
from worked_example_steps import Section, Step, sections

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "protocol"
PROTOCOL = ROOT / "docs" / "PROTOCOL.md"
BEGIN, END = "<!-- worked example: begin -->\n", "<!-- worked example: end -->\n"
TEXT_WIDTH = 106
# What lies in the folder and is written by hand or by another generator.
KEEP = frozenset({"README.md", "rejected"})
INTRODUCTION = """\
One pool, from its key to a published digest. All values follow from those that are given; nothing was random. The
private keys are public, so the example shows how the protocol computes and proves nothing about anybody. The same
values, whole files included, stand under `tests/vectors/protocol/`: `worked-example.json`, the public directory
`public/`, `log.vkey`, `receipts/`, `proofs/` and `export.jsonl`. This section and those files come out of one program,
which computes each hash twice, by hand and by our library, and stops where the two differ.

Byte strings are hex, 32 bytes to a line. Text stands as text, and its lines are only broken here: canonical JSON has no
line breaks, and signed notes have theirs where they are shown. A length in brackets is that of the bytes hashed.
"""


def vectors(parts: list[Section]) -> bytes:
    """Return worked-example.json: all bytes in hex."""
    table = [{"title": part.title, "values": [_vector(step) for step in part.steps]} for part in parts]
    return (json.dumps(table, indent=1) + "\n").encode("ascii")


def _vector(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"name": step.name, "how": step.how}
    if step.key is not None:
        found["key"] = step.key.hex()
    if step.source is not None:
        found["input"] = step.source.hex()
    if isinstance(step.value, str):
        return found | {"text": step.value}
    return found | {"output": step.value.hex()}


def markdown(parts: list[Section]) -> str:
    """Return the text of section 14 between its markers."""
    lines = [INTRODUCTION]
    for number, part in enumerate(parts, start=1):
        lines += [f"### 14.{number} {part.title}", "", fill(part.text, 118), ""]
        for step in part.steps:
            lines += [*_step(step), ""]
    return "\n".join(lines)


def _step(step: Step) -> Iterator[str]:
    bare = step.source is None and step.key is None
    yield f"**{step.name}**" if step.how == "given" else f"**{step.name}** = `{step.how}`"
    yield ""
    if step.key is not None:
        yield from _shown("key  ", step.key)
    if step.source is not None:
        yield from _shown("input", step.source)
    yield from _shown("" if bare else "value", step.value)


def _shown(what: str, value: bytes | str) -> Iterator[str]:
    """Yield the lines of a code block; what stands before printable text, a label or a zero byte, is shown as hex."""
    head = f"    {what} " if what else "    "
    blank = " " * len(head)
    if isinstance(value, str):
        yield head + value
        return
    start = 0 if value.isascii() and value[:1] == b"{" else value.find(b"{")
    if value.startswith(b"example.org/"):
        rows = value.decode("utf-8").removesuffix("\n").split("\n")
    elif start >= 0 and value.endswith(b"}") and value[start:].isascii():
        rows = [f"{value[:start].hex()} then"] if start else []
        rows += _broken(value[start:].decode("ascii"))
    else:
        rows = [value[at : at + 32].hex() for at in range(0, len(value), 32)]
    if what == "input":
        rows[-1] += f"  [{len(value)}]"
    for place, row in enumerate(rows):
        yield ((head if place == 0 else blank) + row).rstrip()


def _broken(text: str) -> Iterator[str]:
    """Yield a text in pieces that keep each space away from the end of a line, where nobody would see it."""
    while text:
        width = min(TEXT_WIDTH, len(text))
        while text[width - 1] == " ":
            width -= 1
        yield text[:width]
        text = text[width:]


def contents() -> tuple[dict[str, bytes], str]:
    """Return every generated file below the folder, and the text of section 14."""
    with tempfile.TemporaryDirectory() as scratch:
        story = Story(Path(scratch))
        public = {
            f"public/{path.relative_to(scratch)}": path.read_bytes()
            for path in Path(scratch).rglob("*")
            if path.is_file()
        }
    held = [story.ticket, *story.group]
    parts = sections(story)
    files = {
        **public,
        **{f"receipts/{made.name}.json": story.receipt(made) for made in held},
        **{f"proofs/{made.name}.tlog-proof": story.proof(made) for made in held},
        "log.vkey": f"{story.vkey}\n".encode("ascii"),
        "export.jsonl": story.export(),
        "worked-example.json": vectors(parts),
    }
    return files, markdown(parts)


def main() -> None:
    """Write the files and the section, or compare them."""
    files, text = contents()
    document = PROTOCOL.read_text(encoding="utf-8")
    before, begin, rest = document.partition(BEGIN)
    section, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PROTOCOL}: the markers of the worked example are missing")
    if "--check" in sys.argv[1:]:
        check_files(FOLDER, files, keep=KEEP)
        compare(f"{PROTOCOL}, section 14", section.encode(), text.encode())
        return
    write_files(FOLDER, files, keep=KEEP)
    PROTOCOL.write_text(before + begin + text + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
