"""A game with a feature, on a settlement model that only tests have: every draw of it can be done in the head."""

import json
from dataclasses import dataclass
from fractions import Fraction

from rng_service.games import parse_game
from rng_service.games.models.base import ModelKind, bet_name, only_fields, only_step
from rng_service.games.prizes import winning
from rng_service.outcome import Uniform

GAME = "free-fall"
SPIN = '{"bet":"spin"}'


@dataclass(frozen=True)
class AwardingSpin:
    """Number k of the draw pays ``pays[k]`` and awards ``gives[k]`` draws of ``feature``."""

    pays: tuple
    gives: tuple
    feature: str

    @property
    def canonical(self):
        return {"bet": "spin"}

    @property
    def highest(self):
        return Fraction(max(self.pays))

    def multiplier(self, outcome):
        return Fraction(self.pays[outcome[0]])

    def awards(self, outcome):
        given = self.gives[outcome[0]]
        return {self.feature: given} if given else {}

    def rtp(self):
        return Fraction(sum(self.pays), len(self.pays))

    def prizes(self):
        chances = {}
        for value in self.pays:
            chances[Fraction(value)] = chances.get(Fraction(value), 0) + Fraction(1, len(self.pays))
        return winning({value: chance for value, chance in chances.items() if value})

    def joint(self):
        found = {}
        for value, given in zip(self.pays, self.gives, strict=True):
            key = Fraction(value), (((self.feature, given),) if given else ())
            found[key] = found.get(key, 0) + Fraction(1, len(self.pays))
        return found


@dataclass(frozen=True)
class AwardModel:
    spin: AwardingSpin

    @property
    def feature_programs(self):
        return (self.spin.feature,)

    def resolve(self, bet):
        bet_name(bet, ("spin",))
        only_fields(bet, ("bet",))
        return self.spin

    def listed_bets(self):
        return [("spin", self.spin)]


def read_award(settlement, steps_node, steps):
    fields = settlement.fields(("model", "pays", "gives", "feature"))
    only_step(steps_node, steps, Uniform, "a uniform")
    lists = [tuple(item.integer(0, 100) for item in fields[name].items(1, 16)) for name in ("pays", "gives")]
    return AwardModel(AwardingSpin(*lists, fields["feature"].name()))


AWARD_MODEL = ModelKind("award-test", read_award, {"required": ["pays", "gives", "feature"], "properties": {}})


def award_game(version=1):
    """Return the game; the model must be among `rng_service.games.models.MODELS` then.

    The base game awards one free draw on a 2 and two on a 3; a free draw pays triple on 0 and 1, and awards another on
    a 3. A side program awards nothing.
    """

    def program(pays, gives, **more):
        settlement = {"model": "award-test", "pays": pays, "gives": gives, "feature": "free"}
        return {"steps": [{"step": "uniform", "n": 4}], "settlement": settlement, **more}

    plain = {"model": "table", "bets": {"any": {"pays": "1.5", "selections": [[0, 1]]}}}
    document = {
        "v": 1,
        "game": GAME,
        "version": version,
        "title": "Free Fall",
        "programs": {
            "base": program([0, 2, 0, 0], [0, 0, 1, 2]),
            "free": program([3, 3, 0, 0], [0, 0, 0, 1], feature=True),
            "side": {"steps": [{"step": "uniform", "n": 4}], "settlement": plain},
        },
    }
    return parse_game(json.dumps(document).encode())
