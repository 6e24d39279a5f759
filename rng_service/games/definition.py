"""A game definition: declarative JSON, read strictly, identified by the digest of its canonical bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import lcm
from pathlib import Path
from typing import NamedTuple

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.games.errors import GameError
from rng_service.games.files import GameFiles, files_beside, no_files
from rng_service.games.models import MODELS, SettlementModel
from rng_service.games.models.base import AwardingModel
from rng_service.games.reading import Node, named_members, read_json, written_fractions
from rng_service.games.steps import parse_steps
from rng_service.names import check_currency
from rng_service.outcome import Lookup, Program, StepError, compile_program

MAX_BYTES = 4 * 2**20
MAX_PROGRAMS = 64
PLAY_CLASSES = ("real", "free")
MAX_PRICE = 2**40
# Bits of the common denominator of a program's fractions. Returns are sums of them: thousands that have nothing in
# common would make numbers on which whoever checks the game computes for hours.
MAX_DENOMINATOR_BITS = 1_024
# Rows of all lookup tables of a game together, sixteen bytes each.
MAX_TABLE_ROWS = 2**25
# Sold to the last ticket whatever is left, or the operator may withdraw it, in public and with everything opened.
END_OF_DEAL = ("sold-out", "withdrawable")


class TicketPrice(NamedTuple):
    """What one ticket of a deal costs: the stake of every draw from it."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class GameProgram:
    """One outcome definition of a game and how it is settled; a game's modes are programs."""

    program_id: str
    outcome: Program
    model_name: str
    model: SettlementModel = field(repr=False)
    play_classes: tuple[str, ...] = PLAY_CLASSES
    # Drawn only where an earlier draw of the round awarded it (free spins): its stake is a reference, not taken again.
    feature: bool = False
    # Of a finite deal: what each ticket costs, and what may end its sale.
    price: TicketPrice | None = None
    end_of_deal: str | None = None

    @property
    def deal_size(self) -> int:
        """The number of tickets of a deal, 0 for every other program."""
        return self.outcome.deal_size


@dataclass(frozen=True, slots=True)
class GameDefinition:
    """A parsed game. ``canonical`` are the bytes that ``digest`` (SHA-256, 32 bytes) was taken over."""

    game: str
    version: int
    title: str
    programs: Mapping[str, GameProgram]
    canonical: bytes = field(repr=False)
    digest: bytes

    def program(self, program_id: str) -> GameProgram:
        """Return one program; raises GameError, naming those there are, when it does not exist."""
        found = self.programs.get(program_id)
        if found is None:
            known = ", ".join(sorted(self.programs))
            raise GameError("$.programs", f"{self.game} has no program {program_id[:64]!r}; it has {known}")
        return found


def parse_game(data: bytes, files: GameFiles | None = None) -> GameDefinition:
    """Parse a game definition of at most 4 MiB.

    White space and key order are the author's; what is committed to are the canonical bytes
    (`anchor.canonical`). ``files`` gives the weights files that lookup steps name. Raises GameError with the path of
    the first field that does not hold; for a file that a step names also MissingError, VerificationError and
    MalformedError as `GameFiles.table`. Source: docs/games.md.
    """
    root = read_json(data, limit=MAX_BYTES)
    fields = root.fields(("v", "game", "version", "title", "programs"))
    fields["v"].integer(1, 1)
    game = fields["game"].name()
    version = fields["version"].integer(1, 2**31 - 1)
    title = fields["title"].text(120)
    files = files or no_files()
    members = named_members(fields["programs"], MAX_PROGRAMS)
    programs: dict[str, GameProgram] = {}
    rows = 0
    for name, node in members:
        programs[name] = _parse_program(name, node, files)
        rows += sum(step.table.rows for step in programs[name].outcome.steps if isinstance(step, Lookup))
        if rows > MAX_TABLE_ROWS:
            node.fail(f"up to here the game's lookup tables have {rows} rows, at most {MAX_TABLE_ROWS} are accepted")
    _check_features(fields["programs"], programs)
    try:
        canonical_bytes = canonical.encode(root.value)
    except MalformedError as error:
        raise GameError("$", str(error)) from None
    return GameDefinition(game, version, title, programs, canonical_bytes, sha256(canonical_bytes).digest())


def has_deals(data: bytes) -> bool:
    """Return whether a definition that was parsed before has a program whose pools are finite deals."""
    programs = json.loads(data)["programs"].values()
    return any(step["step"] == "deal" for program in programs for step in program["steps"])


def load_game(path: Path, files: GameFiles | None = None) -> GameDefinition:
    """Read and parse the definition in the file ``path``; raises OSError, or as `parse_game`.

    Weights files that it names are looked for beside it, and in a directory ``files`` beside it, unless ``files`` says
    where else.
    """
    with path.open("rb") as file:
        # One byte more than allowed is enough to refuse the file without reading all of it.
        return parse_game(file.read(MAX_BYTES + 1), files or files_beside(path.parent))


def _parse_program(program_id: str, node: Node, files: GameFiles) -> GameProgram:
    fields = node.fields(("steps", "settlement"), ("play_classes", "feature", "price", "end_of_deal"))
    steps = parse_steps(fields["steps"], files)
    try:
        outcome = compile_program(steps)
    except StepError as error:
        fields["steps"].fail(error.message)
    settlement = fields["settlement"]
    members = settlement.members(1, 64)
    if "model" not in members:
        settlement.fail("the key 'model' is missing")
    model_name = members["model"].choice(MODELS)
    if lcm(*(value.denominator for value in written_fractions(settlement.value))).bit_length() > MAX_DENOMINATOR_BITS:
        settlement.fail(f"the fractions in it have no common denominator below 2^{MAX_DENOMINATOR_BITS}")
    model = MODELS[model_name].read(settlement, fields["steps"], steps)
    return GameProgram(
        program_id,
        outcome,
        model_name,
        model,
        _play_classes(fields.get("play_classes")),
        "feature" in fields and fields["feature"].boolean(),
        *_flare(node, fields, outcome, model),
    )


def _flare(
    node: Node, fields: dict[str, Node], outcome: Program, model: SettlementModel
) -> tuple[TicketPrice | None, str | None]:
    """Read what a deal publishes beside its composition; only a deal has it, and every deal has all of it."""
    for key in ("price", "end_of_deal"):
        if outcome.deal_size and key not in fields:
            node.fail(f"a deal says its {key!r}")
        if not outcome.deal_size and key in fields:
            fields[key].fail("only a program whose step is a deal has this")
    if not outcome.deal_size:
        return None, None
    if "feature" in fields and fields["feature"].boolean():
        fields["feature"].fail("a deal is no feature: its tickets are sold")
    if [list(priced.canonical) for _, priced in model.listed_bets()] != [["bet"]]:
        fields["settlement"].fail("a deal has one bet, its ticket, with nothing to choose")
    price = fields["price"].fields(("minor", "currency"))
    currency = price["currency"].text(3)
    try:
        check_currency(currency)
    except MalformedError as error:
        price["currency"].fail(str(error))
    return TicketPrice(price["minor"].integer(1, MAX_PRICE), currency), fields["end_of_deal"].choice(END_OF_DEAL)


def _check_features(node: Node, programs: Mapping[str, GameProgram]) -> None:
    """Demand that what a program awards exists as a feature, and that every feature can be awarded."""
    awarded: set[str] = set()
    for name, program in programs.items():
        if not isinstance(program.model, AwardingModel):
            continue
        for target in program.model.feature_programs:
            if target not in programs or not programs[target].feature:
                node.fail(f'{name} awards draws of {target!r}, which is no program with "feature": true')
            if not set(program.play_classes) <= set(programs[target].play_classes):
                node.fail(f"{name} is played in a play class in which its feature {target!r} is not")
            awarded.add(target)
    for name, program in programs.items():
        if program.feature and name not in awarded:
            node.fail(f"no program awards draws of the feature {name!r}")


def _play_classes(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return PLAY_CLASSES
    found = tuple(item.choice(PLAY_CLASSES) for item in node.items(1, len(PLAY_CLASSES)))
    if len(set(found)) < len(found):
        node.fail("the same play class stands here twice")
    return found
