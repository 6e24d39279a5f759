"""Where the files beside the log lie in the public directory (PROTOCOL.md, sections 3, 5, 6, 9 and 11)."""

from anchor.tile import number_path

SECRET_SIZE = 32
VOID_SIZE = 8 + SECRET_SIZE


def digest_path(seq: int) -> str:
    """Return where the record digests of digest ``seq`` are: ``digests/x001/234.bin``."""
    return f"digests/{number_path(seq)}.bin"


def leaves_path(pool: str) -> str:
    """Return where the slot leaves of a pool are, 32 bytes for each slot."""
    return f"leaves/{pool}.bin"


def voids_path(pool: str) -> str:
    """Return where the opened voids of a closed pool are, ``u64(slot) || secret`` each."""
    return f"voids/{pool}.bin"


def rtp_table_paths(seq: int) -> tuple[str, str, str]:
    """Return where table ``seq`` of returns is: its document, its CSV and its page."""
    stem = f"rtp/{number_path(seq)}"
    return f"{stem}.json", f"{stem}.csv", f"{stem}.html"


def par_paths(digest: bytes) -> tuple[str, str]:
    """Return where the PAR sheet of the definition with this SHA-256 is: its JSON and its page."""
    return f"games/{digest.hex()}.par.json", f"games/{digest.hex()}.par.html"


def deal_path(pool: str) -> str:
    """Return where the secrets of a closed deal are, 32 bytes for each slot."""
    return f"deals/{pool}.bin"


def game_path(digest: bytes) -> str:
    """Return where the definition with this SHA-256 is."""
    return f"games/{digest.hex()}.json"


def plan_path(digest: bytes) -> str:
    """Return where the plan with this SHA-256 is, of pools' tests or of statistics."""
    return f"plans/{digest.hex()}.json"


def statistics_paths(run: int) -> tuple[str, str]:
    """Return where the report of a run of statistics is: its JSON and its page."""
    return f"statistics/{run}.json", f"statistics/{run}.html"


def weights_path(digest: bytes) -> str:
    """Return where the weights file with this SHA-256 is that definitions name."""
    return f"games/files/{digest.hex()}.csv"
