"""Settlement model "anywhere": symbols pay by their number in the window, wherever they stand.

Prizes are multiples of the whole stake and are added up over the symbols. Wilds, scatters and awards are those of
"lines"; a wild counts for every symbol that it stands for, and multiplies nothing.
"""

from collections.abc import Sequence

from rng_service.games.models.base import ModelKind
from rng_service.games.reading import Node
from rng_service.games.reels.anywhere import Anywhere, NumberPays
from rng_service.games.reels.reading import (
    COMMON_FIELDS,
    COMMON_RELATIONS,
    COMMON_SCHEMA,
    PRIZES_BY_COUNTS,
    Frame,
    read_frame,
)
from rng_service.games.reels.spin import AwardingSpin, Spin, SpinModel
from rng_service.outcome import Step


def read_anywhere(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> SpinModel:
    """Read ``{"model": "anywhere", "rows", "symbols", "pays"}`` and what is optional (docs/games.md)."""
    fields = settlement.fields(("model", "rows", "symbols", "pays"), COMMON_FIELDS)
    frame = read_frame(settlement, fields, steps_node, steps, by_number=True)
    for name, node in fields["wilds"].members(1, len(frame.symbols)).items() if "wilds" in fields else ():
        if frame.wilds[frame.symbols[name]].multiplier > 1:
            node.fail("symbols that pay anywhere are not multiplied by wilds")
    counting = frame.counting(frame.unit, {})
    shown = frame.reels(counting.digits)
    programs = sorted({program for scatter in frame.scatters for program in scatter.awards})
    kind = AwardingSpin if programs else Spin
    paying = Anywhere(shown, _rules(frame, counting.bits), counting.bits)
    return SpinModel(kind(shown, paying, counting, frame.unit), programs)


def _rules(frame: Frame, bits: int) -> list[NumberPays]:
    found = []
    for name, pays in frame.pays.items():
        own = frame.symbols[name]
        wilds = {symbol for symbol, wild in frame.wilds.items() if own in wild.stands_for}
        prizes = {number: int(prize * frame.unit) << bits for number, prize in pays.items()}
        found.append(NumberPays(name, frozenset({own, *wilds}), prizes))
    return found


MODEL = ModelKind(
    "anywhere",
    read_anywhere,
    {
        "required": ["rows", "symbols", "pays"],
        "properties": {
            **COMMON_SCHEMA,
            "pays": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"$ref": "#/$defs/symbol"},
                "additionalProperties": PRIZES_BY_COUNTS,
            },
        },
        **COMMON_RELATIONS,
    },
)
