"""What commands print: JSON for programs, aligned columns and wrapped lines for people."""

import json
from collections.abc import Sequence
from typing import Any

import click

__all__ = ["print_json", "print_table", "table_lines"]


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON, keys in the order given, to standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print rows in columns; the first ``left`` columns are aligned to the left, the others to the right."""
    for line in table_lines(header, rows, left=left):
        click.echo(line)


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return what `print_table` prints, without trailing spaces."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]
