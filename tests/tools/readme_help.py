"""Write the command line's help into README.md between two markers, or check that it stands there.

python tests/tools/readme_help.py            writes it
python tests/tools/readme_help.py --check    exit status 1 when it is not current
"""

import argparse
import sys
from pathlib import Path

import click

from rng_service.cli.main import cli

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN = "<!-- help: written by tests/tools/readme_help.py -->"
END = "<!-- end of help -->"


def help_block() -> str:
    """Return the help as it stands in README.md: every command with the first line of its help."""
    lines = [*_lines(cli, "sealdraw")]
    width = max(len(usage) for usage, _ in lines)
    table = "\n".join(f"{usage:<{width}}  {text}".rstrip() for usage, text in lines)
    return f"{BEGIN}\n\n```text\n{table}\n```\n\n{END}"


def _lines(group: click.Group, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += _lines(command, f"{path} {name}")
        else:
            context = click.Context(command, info_name=f"{path} {name}")
            arguments = [item.make_metavar(context) for item in command.params if isinstance(item, click.Argument)]
            found.append((" ".join((path, name, *arguments)), command.get_short_help_str(limit=200)))
    return found


def with_help(text: str) -> str:
    """Return ``text`` with the current help between the markers; raises ValueError when they are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    return before + help_block() + after


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 when it is not current")
    options = parser.parse_args(arguments)
    text = README.read_text(encoding="utf-8")
    current = with_help(text)
    if not options.check:
        README.write_text(current, encoding="utf-8")
    elif text != current:
        sys.stderr.write("README.md: the help is not current; run: python tests/tools/readme_help.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
