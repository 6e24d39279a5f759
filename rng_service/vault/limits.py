"""Limits that the vault and its clients share."""

from typing import Final

# The leaves of the largest pool come in parts; a group of 65,536 opened slots is the largest single message.
MAX_MESSAGE_BYTES: Final = 16 * 2**20
