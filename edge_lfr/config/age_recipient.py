"""A typing error in the public key of a recipient is found when the configuration is read, not when somebody looks."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
PREFIX: Final = "age"

GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
"""Of the checksum that every age recipient ends with (Bech32: BIP-173, as age-encryption.org/v1 takes it)."""

_RECIPIENT: Final = re.compile(rf"{PREFIX}1[{ALPHABET}]{{58}}")


def has_right_checksum(recipient: str) -> bool:
    """Whether the last six characters of an `age1...` text follow from the others."""
    expanded = [ord(letter) >> 5 for letter in PREFIX] + [0] + [ord(letter) & 31 for letter in PREFIX]
    checksum = 1
    for value in expanded + [ALPHABET.index(letter) for letter in recipient.removeprefix(f"{PREFIX}1")]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(GENERATOR):
            if top >> bit & 1:
                checksum ^= term
    return checksum == 1


def _require_recipient(text: str) -> str:
    """The message repeats nothing: somebody may have put the private key there."""
    if _RECIPIENT.fullmatch(text) is None:
        message = "not an age recipient: expected age1 and 58 more characters, as `age-keygen -y` prints it"
        raise ValueError(message)
    if not has_right_checksum(text):
        message = "not an age recipient: its checksum says that a character is wrong"
        raise ValueError(message)
    return text


AgeRecipientText = Annotated[str, AfterValidator(_require_recipient)]
"""An X25519 public key as `age-keygen` prints it."""
