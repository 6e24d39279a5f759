"""Writing what a bench found into a page of the documentation, between two markers."""

__all__ = ["replaced_between"]


def replaced_between(page: str, begin: str, end: str, text: str) -> str:
    """Return ``page`` with what stands between the lines ``begin`` and ``end`` replaced by ``text``.

    Raises ValueError when a marker is missing.
    """
    before, found_begin, rest = page.partition(begin)
    _, found_end, behind = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"expected the lines {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{behind}"
