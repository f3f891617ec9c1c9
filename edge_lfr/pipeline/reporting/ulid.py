"""Alert ids: ULIDs, which sort by the time of their making and say nothing else."""

import os
from datetime import datetime
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 26


def new_ulid(now: datetime) -> str:
    """
    48 bits of milliseconds and 80 random bits in Crockford's base 32.

    Source:
        github.com/ulid/spec
    """
    number = int(now.timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
