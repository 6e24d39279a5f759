"""From a record's secrets to outcomes and payouts, with everything that is constant for a pool laid out once."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from anchor.errors import VerificationError
from rng_service.encoding import SLOT_LABEL, lp
from rng_service.games import BetError, GameDefinition, resolve_bet
from rng_service.log_entries import PoolCommit
from rng_service.outcome import deriver_of
from rng_service.verify.deals import check_deal_commit
from rng_service.verify.fault import require

if TYPE_CHECKING:
    from rng_service.games.models import Bet

# An export repeats few bets; whoever sends more different ones gets correct answers, slowly.
_MOST_BETS = 4_096


class PoolEvaluator:
    """Recomputes what slots of one pool opened to."""

    def __init__(self, commit: PoolCommit, commit_leaf: bytes, beacon: bytes, game: GameDefinition) -> None:
        self._deriver = deriver_of(commit.kind, commit_leaf, beacon, commit.program, commit.size)
        self.program = game.program(commit.program)
        self._derive = self.program.outcome.derive
        self._game = game
        self._commit = commit
        self._leaf_prefix = b"\x00" + SLOT_LABEL + lp(commit.pool.encode("ascii"))
        self._bets: dict[str, Bet] = {}

    def leaves(self, slot: int, secrets: bytes) -> bytes:
        """Return the leaf hashes, 32 bytes each, of consecutive slots from ``slot`` on with these secrets."""
        prefix = self._leaf_prefix
        if len(secrets) == 32:
            return sha256(prefix + slot.to_bytes(8, "big") + secrets).digest()
        return b"".join(
            [
                sha256(prefix + (slot + at // 32).to_bytes(8, "big") + secrets[at : at + 32]).digest()
                for at in range(0, len(secrets), 32)
            ]
        )

    def outcomes(self, slot: int, secrets: bytes, client_seed: bytes) -> list[tuple[int, ...]]:
        """Return the outcome of each slot."""
        stream, derive = self._deriver.outcome_stream, self._derive
        if len(secrets) == 32:
            return [derive(stream(secrets, slot, client_seed))]
        return [
            derive(stream(secrets[at : at + 32], slot + at // 32, client_seed)) for at in range(0, len(secrets), 32)
        ]

    def payouts(self, bet: Any, stake_minor: int, outcomes: list[tuple[int, ...]]) -> list[int]:
        """Return what each outcome pays; raises VerificationError ``bet-invalid`` for no bet of the program."""
        pays = map(self.resolve(bet).multiplier, outcomes)
        try:
            return [stake_minor * factor.numerator // factor.denominator for factor in pays]
        except BetError as error:
            # Decisions that the outcome does not allow.
            raise VerificationError("bet-invalid", str(error)) from None

    def resolve(self, bet: Any) -> "Bet":
        """Return ``bet`` ready to be settled; raises as `payouts`."""
        key = str(bet)
        resolved = self._bets.get(key)
        if resolved is None:
            try:
                resolved = resolve_bet(self._game, self._commit.program, bet)
            except BetError as error:
                raise VerificationError("bet-invalid", str(error)) from None
            if len(self._bets) >= _MOST_BETS:
                self._bets.clear()
            self._bets[key] = resolved
        return resolved


def check_game(game: GameDefinition, commit: PoolCommit, name: str, version: int) -> None:
    """Check that ``game`` is the one that a pool of this game and version may commit to.

    Raises VerificationError ``game-name``, ``pool-program``, and as `check_deal_commit`.
    """
    require(
        (game.game, game.version) == (name, version),
        "game-name",
        f"{commit.pool} commits to {game.game} version {game.version}",
    )
    require(commit.program in game.programs, "pool-program", f"{game.game} has no program {commit.program}")
    check_deal_commit(commit, game.program(commit.program))
