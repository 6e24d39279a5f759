"""Settlement model "ways": 243 ways, 1,024 ways and the like; symbols pay on neighbouring reels, in any row.

The ways of a symbol are the product of its cells (wilds that stand for it included) on the reels of its run,
which begins on the first reel. Prizes are multiples of the stake divided by ``cost``, for each way; a symbol
pays once, for the longest listed length. Scatters, wilds and awards are those of "lines".
"""

from collections.abc import Sequence

from rng_service.games.models.base import ModelKind
from rng_service.games.reading import Node
from rng_service.games.reels.reading import COMMON_FIELDS, COMMON_RELATIONS, COMMON_SCHEMA, Frame, read_frame
from rng_service.games.reels.spin import AwardingSpin, Spin, SpinModel
from rng_service.games.reels.ways import WayRule, Ways
from rng_service.outcome import Step

MAX_COST = 1_000_000
_DIRECTIONS = ("left", "right")


def read_ways(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> SpinModel:
    """Read ``{"model": "ways", "rows", "symbols", "pays", "cost"}`` and what is optional (docs/games.md)."""
    fields = settlement.fields(("model", "rows", "symbols", "pays", "cost"), (*COMMON_FIELDS, "direction"))
    frame = read_frame(settlement, fields, steps_node, steps)
    scale = frame.unit * fields["cost"].integer(1, MAX_COST)
    counting = frame.counting(scale, {})
    order = list(range(len(frame.strips)))
    if "direction" in fields and fields["direction"].choice(_DIRECTIONS) == "right":
        order.reverse()
    shown = frame.reels(counting.digits)
    programs = sorted({program for scatter in frame.scatters for program in scatter.awards})
    kind = AwardingSpin if programs else Spin
    return SpinModel(
        kind(shown, Ways(shown, _rules(frame, counting.bits), order, counting.bits), counting, scale), programs
    )


def _rules(frame: Frame, bits: int) -> list[WayRule]:
    found = []
    for name, pays in frame.pays.items():
        own = frame.symbols[name]
        cells = {symbol: wild.multiplier for symbol, wild in frame.wilds.items() if own in wild.stands_for}
        prizes = {length: int(prize * frame.unit) << bits for length, prize in pays.items()}
        found.append(WayRule(name, {**cells, own: 1}, prizes))
    return found


MODEL = ModelKind(
    "ways",
    read_ways,
    {
        "required": ["rows", "symbols", "pays", "cost"],
        "properties": {
            **COMMON_SCHEMA,
            "cost": {"type": "integer", "minimum": 1, "maximum": MAX_COST},
            "direction": {"enum": list(_DIRECTIONS)},
        },
        **COMMON_RELATIONS,
    },
)
