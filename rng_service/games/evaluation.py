"""From a bet and an outcome to money, in exact integers."""

from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.definition import GameDefinition
from rng_service.games.errors import BetError, GameError, shown
from rng_service.games.models import Bet
from rng_service.games.reading import read_json
from rng_service.outcome.primitives import Outcome

MAX_BET_BYTES = 4_096
MAX_STAKE_MINOR = 2**53 - 1


def parse_bet(data: bytes) -> JSONValue:
    """Parse the JSON text of a bet, at most 4 KiB; raises BetError.

    Only the JSON is read here; whether a program takes the bet is for `resolve_bet`.
    """
    try:
        root = read_json(data, limit=MAX_BET_BYTES)
        if isinstance(root.value, dict):
            root.members(1, 64)
    except GameError as error:
        raise BetError(error.path, error.message) from None
    return root.value


def resolve_bet(definition: GameDefinition, program_id: str, bet: JSONValue) -> Bet:
    """Validate ``bet`` (an object, or the name of a bet without choices) and return it ready to be settled.

    Needs no outcome, so a bad bet is refused before any slot is bound. Raises BetError with the path in the
    bet, GameError for an unknown program. A caller that settles one bet many times keeps what this returns.
    """
    model = definition.program(program_id).model
    if isinstance(bet, dict):
        return model.resolve(bet)
    if isinstance(bet, str):
        return model.resolve({"bet": bet})
    raise BetError("$", f"expected an object or the name of a bet, got {shown(bet)}")


def validate_bet(definition: GameDefinition, program_id: str, bet: JSONValue) -> dict[str, JSONValue]:
    """Return the canonical form of ``bet``, an object; errors as for `resolve_bet`."""
    return resolve_bet(definition, program_id, bet).canonical


def multiplier(definition: GameDefinition, program_id: str, bet: JSONValue, outcome: Outcome) -> Fraction:
    """Return what ``outcome`` pays back for each unit staked, exactly; 0 is a loss.

    Raises as `resolve_bet`, and GameError for an outcome of another length than the program's.
    """
    _check_width(definition, program_id, outcome)
    return resolve_bet(definition, program_id, bet).multiplier(outcome)


def payout(definition: GameDefinition, program_id: str, bet: JSONValue, stake_minor: int, outcome: Outcome) -> int:
    """Return the payout in minor units, the stake included: stake times `multiplier`, rounded down.

    Rounding down is the only rounding there is; it happens once, on the total. ``stake_minor`` lies in
    0 … 2^53 - 1 (BetError otherwise); other errors as for `multiplier`.
    """
    if not 0 <= stake_minor <= MAX_STAKE_MINOR:
        raise BetError("$.stake_minor", f"expected a stake from 0 to {MAX_STAKE_MINOR}, got {shown(stake_minor)}")
    pays = multiplier(definition, program_id, bet, outcome)
    return stake_minor * pays.numerator // pays.denominator


def _check_width(definition: GameDefinition, program_id: str, outcome: Outcome) -> None:
    width = definition.program(program_id).outcome.width
    if len(outcome) != width:
        raise GameError(f"$.programs.{program_id}", f"an outcome has {width} integers here, got {len(outcome)}")
