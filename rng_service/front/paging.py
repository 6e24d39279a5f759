"""Page sizes and page tokens of the listing calls (AIP-158): a token names the last row of the page before."""

import base64
import re

from rng_service.errors import InvalidArgument

MAX_PAGE = 1_000
DEFAULT_PAGE = 100

# Every row id that a page can end with; a larger number would not fit the databases' integers.
_POSITION = re.compile(r"[0-9]{1,18}")
_MAX_TOKEN = 64


def read_page(size: int, token: str, start: int) -> tuple[int, int]:
    """Return the page's size and the position that it follows, ``start`` for the first; raises InvalidArgument."""
    if not 0 <= size <= MAX_PAGE:
        raise InvalidArgument(("page_size", f"expected 0 to {MAX_PAGE}"))
    return size or DEFAULT_PAGE, _position(token) if token else start


def page_token(position: int) -> str:
    """Return the token of a page that ends at ``position``."""
    return base64.urlsafe_b64encode(str(position).encode("ascii")).decode("ascii")


def _position(token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token[: _MAX_TOKEN + 1].encode("ascii")).decode("ascii")
    except ValueError:
        text = ""
    if len(token) > _MAX_TOKEN or not _POSITION.fullmatch(text):
        raise InvalidArgument(("page_token", "not a token of an earlier answer"))
    return int(text)
