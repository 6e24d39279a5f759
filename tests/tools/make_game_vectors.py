"""Write tests/vectors/games/*.json, one for each shipped game; `--check` fails when they differ from what is computed now.

Outcomes are derived in the way of PROTOCOL.md from the inputs that the README beside the vectors gives; bets,
multipliers and theory follow from the game's definition alone.
"""

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from told_decisions import told
from vector_files import check_files, write_files

from rng_service.games import GameDefinition, GameProgram, load_game, resolve_bet, theory
from rng_service.outcome import DealDeriver, DrawKeyDeriver
from rng_service.outcome.primitives import Outcome
from rng_service.pools.deals import deal_secrets

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "games"
SECRET = bytes(range(32))
ALWAYS = 2
SLOTS = 64
# Exact figures only: how a root is rounded belongs to no format.
EXACT = ("bet", "rtp", "hit_frequency", "top_prize", "maximum_exposure")


def program_vector(game: GameDefinition, program_id: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return the theory of every listed bet, and what each pays on the first slots and on the first that pays."""
    program = game.program(program_id)
    outcomes = deal_outcomes(program) if program.deal_size else stream_outcomes(program)
    rows = [
        {"bet": bet["bet"], "slot": slot, "multiplier": str(pays)}
        for bet in figures["bets"].values()
        if "bet" in bet["bet"]
        for slot, pays in settled(game, program_id, bet["bet"], outcomes)
    ]
    rows += [
        {"bet": bet, "slot": slot, "multiplier": str(resolve_bet(game, program_id, bet).multiplier(outcomes[slot]))}
        for slot, bet in told(program, outcomes)
    ]
    slots = sorted({row["slot"] for row in rows} | set(range(ALWAYS)))
    return {
        "theory": {label: {key: bet[key] for key in EXACT} for label, bet in figures["bets"].items()},
        "outcomes": {str(slot): [str(value) for value in outcomes[slot]] for slot in slots},
        "rows": rows,
    }


def stream_outcomes(program: GameProgram) -> list[Outcome]:
    """Return the outcomes of the first slots, all with the same secret."""
    deriver = DrawKeyDeriver(bytes(32), b"", program.program_id)
    return [program.outcome.derive(deriver.outcome_stream(SECRET, slot, b"")) for slot in range(SLOTS)]


def deal_outcomes(program: GameProgram) -> list[Outcome]:
    """Return the tickets of the first slots of a deal: the secret is its pool key, D and B are zeros."""
    size = program.deal_size
    secrets, deriver = deal_secrets(SECRET, size), DealDeriver(bytes(32), bytes(32), size)
    return [
        program.outcome.derive(deriver.outcome_stream(secrets[32 * slot : 32 * slot + 32], slot, b""))
        for slot in range(min(SLOTS, size))
    ]


def settled(game: GameDefinition, program_id: str, bet: Any, outcomes: Sequence[Outcome]) -> list[tuple[int, Fraction]]:
    """Return (slot, multiplier) of the first slots, and of the first of all that pays anything."""
    resolved = resolve_bet(game, program_id, bet)
    pays = list(enumerate(map(resolved.multiplier, outcomes)))
    return pays[:ALWAYS] + [found for found in pays[ALWAYS:] if found[1]][:1]


def game_vector(path: Path) -> bytes:
    """Return the vector file of one game: every bet and row on a line of its own."""
    game = load_game(path)
    figures = theory(game)
    programs = {name: program_vector(game, name, found) for name, found in figures["programs"].items()}
    lines = [
        "{",
        f' "game": "{game.game}", "version": {game.version}, "digest": "{game.digest.hex()}",',
        ' "programs": {',
    ]
    for name, found in programs.items():
        lines.append(f"  {json.dumps(name)}: {{")
        for key in ("theory", "outcomes"):
            members = [f"    {json.dumps(label)}: {json.dumps(value)}" for label, value in found[key].items()]
            lines += [f'   "{key}": {{', ",\n".join(members), "   },"] if members else [f'   "{key}": {{}},']
        rows = [f"    {json.dumps(row)}" for row in found["rows"]]
        lines += ['   "rows": [', ",\n".join(rows), "   ]"] if rows else ['   "rows": []']
        lines.append("  }" if name == list(programs)[-1] else "  },")
    return "\n".join([*lines, " }", "}", ""]).encode("ascii")


def main() -> None:
    """Write the files, or compare them."""
    wanted = {f"{path.stem}.json": game_vector(path) for path in sorted((ROOT / "games").glob("*.json"))}
    act = check_files if "--check" in sys.argv[1:] else write_files
    act(FOLDER, wanted, keep=frozenset({"README.md"}))


if __name__ == "__main__":
    main()
