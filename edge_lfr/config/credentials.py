"""
Files that the service manager hands over: `credential:NAME` where the configuration asks for a path.

systemd lays what `LoadCredential=` and `LoadCredentialEncrypted=` name into one folder that only the service may read.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_lfr.errors import ConfigError

PREFIX: Final = "credential:"

UNIT_DIRECTORY: Final = Path("/run/credentials/edge-lfr.service")
"""Where systemd lays the credentials of the unit: for commands that run outside of it, as `edge-lfr doctor` does."""

MAX_SHOWN: Final = 60
"""Characters of a wrong name in a message; chosen, not measured."""

_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}")


def credential_path(value: str, environ: Mapping[str, str]) -> str | None:
    """
    The file that *value* names, when it names a credential; whether it is there shows when it is read.

    Args:
        value: From the configuration.

        environ: The process's own; the service manager sets `CREDENTIALS_DIRECTORY` for the service alone.

    Raises:
        ConfigError: No credential has such a name.
    """
    if not value.startswith(PREFIX):
        return None
    name = value.removeprefix(PREFIX)
    if _NAME.fullmatch(name) is None:
        message = f"{PREFIX}{name[:MAX_SHOWN]}: a credential's name has letters, digits, dots, hyphens and underscores"
        raise ConfigError(message, remedy=f"write {PREFIX}NAME as LoadCredential= in the unit does")
    return str(Path(environ.get("CREDENTIALS_DIRECTORY") or UNIT_DIRECTORY) / name)
