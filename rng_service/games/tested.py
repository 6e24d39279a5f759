"""What the test of a pool draws: a program of which every value has probabilities that the definition alone states.

A lookup step draws a number below the sum of its table's weights and then looks up a row. Which row that is, the table
says and no chance, so the number is what is tested, and the table need not be there.
"""

from rng_service.games.definition import MAX_BYTES
from rng_service.games.errors import GameError
from rng_service.games.files import no_files
from rng_service.games.reading import Node, read_json
from rng_service.games.steps import parse_steps
from rng_service.outcome import Lookup, Program, Step, Uniform, compile_program
from rng_service.outcome.lookup import MAX_TOTAL
from rng_service.outcome.steps import MAX_STEPS

__all__ = ["tested_program", "without_tables"]


def tested_program(definition: bytes, program_id: str) -> Program:
    """Return the program of a registered definition with numbers in the place of looked-up rows.

    ``definition`` is what ``games/<digest>.json`` has. Raises GameError and StepError when it cannot be.
    """
    root = read_json(definition, limit=MAX_BYTES)
    programs = root.members(1, 64)["programs"].members(1, 64)
    if program_id not in programs:
        raise GameError("$.programs", f"no program {program_id[:64]!r}")
    steps = programs[program_id].members(1, 64)["steps"]
    return compile_program([_tested_step(node) for node in steps.items(1, MAX_STEPS)])


def without_tables(program: Program) -> Program:
    """Return ``program`` with numbers in the place of looked-up rows, as `tested_program` reads it."""
    return compile_program([Uniform(step.table.total) if isinstance(step, Lookup) else step for step in program.steps])


def _tested_step(node: Node) -> Step:
    members = node.members(1, 8)
    if "step" in members and members["step"].value == "lookup":
        return Uniform(members["total"].integer(1, MAX_TOTAL))
    return parse_steps(Node([node.value], node.path), no_files())[0]
