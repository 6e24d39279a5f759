"""Game definitions, bets and payouts in exact integers; pure, and all that an auditor needs for them."""

from rng_service.games.definition import GameDefinition, GameProgram, load_game, parse_game
from rng_service.games.errors import BetError, GameError
from rng_service.games.evaluation import multiplier, parse_bet, payout, resolve_bet, validate_bet
from rng_service.games.models import Bet
from rng_service.games.theory import bet_rtp, theory

__all__ = [
    "Bet",
    "BetError",
    "GameDefinition",
    "GameError",
    "GameProgram",
    "bet_rtp",
    "load_game",
    "multiplier",
    "parse_bet",
    "parse_game",
    "payout",
    "resolve_bet",
    "theory",
    "validate_bet",
]
