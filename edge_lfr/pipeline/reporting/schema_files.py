"""
The JSON Schemas beside this file, generated from the models for those who write another control room.

`python -m edge_lfr.pipeline.reporting.schema_files` writes them anew; a test keeps them in step.
"""

import json
from pathlib import Path
from typing import Final

from edge_lfr.governance.authority.revocation import Revocation
from edge_lfr.governance.signed import SignedMessage
from edge_lfr.pipeline.reporting.messages import (
    AckMessage,
    AlertMessage,
    Message,
    SightingMessage,
    UpMessage,
)
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
    WatchlistMessage,
)

DIRECTORY: Final = Path(__file__).parent / "schemas"
UP_MESSAGES: Final[tuple[type[UpMessage], ...]] = (
    AlertMessage,
    SightingMessage,
    StatusMessage,
    CameraMessage,
    HealthMessage,
    WatchlistMessage,
    TrustMessage,
    LedgerHeadMessage,
)
"""What an appliance says."""

DOWN_MESSAGES: Final[tuple[type[Message], ...]] = (AckMessage,)
"""What control says, inside a signed envelope."""


def schema_texts() -> dict[str, str]:
    """File name to text, for every message."""
    schemas = {
        f"{message.file_name}.json": message.model_json_schema(mode="validation")
        for message in (*UP_MESSAGES, *DOWN_MESSAGES)
    }
    schemas["signed.json"] = SignedMessage.model_json_schema(mode="validation")
    schemas["revocation.json"] = Revocation.model_json_schema(mode="validation")  # inside a signed document
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: json.dumps(dialect | schema, indent=2) + "\n" for name, schema in schemas.items()}


def write_schemas(directory: Path = DIRECTORY) -> None:
    """Write all of them anew."""
    for name, text in schema_texts().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    write_schemas()
