"""The child: `python -m edge_lfr.evaluation.torture WORK ...`; it imports what the work needs, and waits."""

import sys
from importlib import import_module
from typing import Final

from edge_lfr.evaluation.torture.teller import Teller

MODULES: Final = {
    "load": "loading",
    "remove": "removal",
    "wipe": "wiping",
    "wipe beside a load": "wipe_beside_load",
    "end of a list": "ending",
    "ledger": "ledger",
    "alerts": "alerts",
}


def main() -> None:
    """Do the work that the first word names."""
    name, *words = sys.argv[1:]
    module = import_module(f"edge_lfr.evaluation.torture.{MODULES[name]}")
    module.work(Teller(), words)


if __name__ == "__main__":
    main()
