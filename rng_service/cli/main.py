"""The command `sealdraw`: the groups of commands, and one line for everything that goes wrong.

Exit status: 0 success, 1 checked and found wrong, 2 misuse or input that cannot be used, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from anchor.errors import AnchorError, VerificationError
from rng_service.cli.commands import COMMANDS
from rng_service.errors import SealdrawError
from rng_service.vault.errors import VaultError

__all__ = ["cli", "main", "run"]

FOUND_WRONG = 1
UNUSABLE = 2
INTERRUPTED = 130
TRACEBACK_VARIABLE = "SEALDRAW_TRACEBACK"
# Modules of the extras, by what they are installed with.
_SERVER = ("alembic", "google", "grpc", "msgspec", "sealdraw", "sqlalchemy", "zstandard")
_STATS = ("numpy", "scipy")
_EXTRAS = dict.fromkeys(_SERVER, "server") | dict.fromkeys(_STATS, "stats") | {"fpdf": "pdf"}


class _InOrder(click.Group):
    """Lists commands in the order in which one meets them, not by the alphabet."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try it: sealdraw demo",
)
@click.version_option(package_name="sealdraw", message="%(prog)s %(version)s")
def cli() -> None:
    """Sealed outcome pools, exactly-once draws over gRPC, and an audit log that anybody can check."""


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:], errors=sys.stderr))


def run(arguments: Sequence[str], *, errors: TextIO) -> int:
    """Run one command and return its exit status; what goes wrong is one line on ``errors``, never a traceback."""
    try:
        result = cli.main(args=list(arguments), prog_name="sealdraw", standalone_mode=False)
    except click.ClickException as error:
        return _say(errors, _usage(error), UNUSABLE)
    except (click.Abort, KeyboardInterrupt):
        return _say(errors, "interrupted", INTERRUPTED)
    except VerificationError as error:
        return _say(errors, f"FOUND WRONG: {error}", FOUND_WRONG)
    except (AnchorError, SealdrawError, VaultError) as error:
        return _say(errors, str(error), UNUSABLE)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _say(errors, f"{name}{error.strerror or error}", UNUSABLE)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return _internal(error, errors)
        return _say(errors, f"this command needs {error.name}: pip install 'sealdraw[{extra}]'", UNUSABLE)
    except Exception as error:  # noqa: BLE001 - whatever is left is a fault of this program, and is said to be
        return _internal(error, errors)
    return result if isinstance(result, int) else 0


def _internal(error: Exception, errors: TextIO) -> int:
    """Report what nobody foresaw: one line, and all of it for whoever asks."""
    if TRACEBACK_VARIABLE in os.environ:
        raise error
    message = f"internal error, {type(error).__name__}: {error}; set {TRACEBACK_VARIABLE}=1 to see where, and report it"
    return _say(errors, message, UNUSABLE)


def _usage(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} See: {error.ctx.command_path} --help"
    return message


def _say(errors: TextIO, message: str, status: int) -> int:
    errors.write(f"sealdraw: {' '.join(message.splitlines())}\n")
    return status


if __name__ == "__main__":
    main()
