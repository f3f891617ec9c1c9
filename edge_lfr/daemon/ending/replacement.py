"""
A process takes its own place: with the old address space go the copies that libraries made and nobody can zero.

The process keeps its number, so the service manager sees no end. What the new program needs is handed over in memory
without a name, whose descriptor alone outlives the change; everything else that was open is closed by it.
"""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, NoReturn

VARIABLE: Final = "EDGE_LFR_HANDED_OVER"
"""Names the descriptor for the new program."""

MAX_BYTES: Final = 16 << 20
"""Of what is handed over; some 200 kB after a wipe. Chosen, not measured."""

_LENGTH_BYTES: Final = 4


def replace_process(facts: Mapping[str, object], secret: bytes, environ: Mapping[str, str]) -> NoReturn:
    """
    Begin this program anew, with the same arguments.

    Args:
        facts: What the new program is told, as JSON.

        secret: What it needs beside that; never on a disk.

        environ: Of the new program.
    """
    told = json.dumps(facts).encode()
    descriptor = os.memfd_create("handed-over", 0)  # not closed by the change
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(len(told).to_bytes(_LENGTH_BYTES, "big") + told + secret)
    os.execve(  # noqa: S606 - this very program
        sys.executable, [sys.executable, *sys.orig_argv[1:]], {**environ, VARIABLE: str(descriptor)}
    )


def handed_over(environ: MutableMapping[str, str]) -> tuple[dict[str, Any], bytes] | None:
    """
    What the program before left for this one; once, and None where there was none.

    The memory is overwritten and let go.
    """
    untrusted = environ.pop(VARIABLE, None)
    if untrusted is None or not untrusted.isdecimal():
        return None
    descriptor = int(untrusted)
    try:
        content = os.pread(descriptor, MAX_BYTES, 0)
        os.pwrite(descriptor, bytes(len(content)), 0)
        os.close(descriptor)
        length = int.from_bytes(content[:_LENGTH_BYTES], "big")
        facts = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
    except (OSError, ValueError):
        return None
    return (facts, content[_LENGTH_BYTES + length :]) if isinstance(facts, dict) else None
