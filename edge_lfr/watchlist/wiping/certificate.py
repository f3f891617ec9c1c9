"""What a wipe did and what its proof came to, for whoever asks later: counts and digests, no identities."""

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from edge_lfr.durable_files import write_durably
from edge_lfr.errors import WatchlistStorageError
from edge_lfr.governance.documents import Kind, sign_document
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.sealed import noted_wipes
from edge_lfr.watchlist.wiping.proof import WipeProof

FOLDER: Final = noted_wipes.FOLDER

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class WipeCause(StrEnum):
    """Why a list was destroyed."""

    COMMAND = "command"
    """A technician asked for it."""

    WINDOW_ENDED = "window-ended"
    """The deployment's time and its grace are over."""

    REVOKED = "revoked"
    REMOVED_LAST = "removed-last"
    """The last reference was taken out."""

    EXPIRED = "expired"
    """The last reference's time was over."""

    DEAD_MAN = "dead-man"
    """The daemon had not done it: the timer or the next start did."""

    CLOCK = "clock"
    """Nobody could say for a day what time it is."""


class ProofFigures(BaseModel):
    """The numbers of a `WipeProof`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fragments: Count
    memory_bytes: Count
    memory_hits: Count
    processes_unread: Count
    file_bytes: Count
    file_hits: Count
    files_unread: Count
    paths_left: Count
    deleted_files_open: Count
    keys_that_open: Count
    seconds: Seconds

    @property
    def found(self) -> int:
        """Everything of the list that should not be there any more."""
        return self.memory_hits + self.file_hits + self.paths_left + self.deleted_files_open + self.keys_that_open


class WipeCertificate(BaseModel):
    """Signed by the appliance."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    schema_version: Literal["lfr.wipe-certificate/1"] = Field("lfr.wipe-certificate/1", alias="schema")
    device: Annotated[str, Field(max_length=256)]
    """`<force>/<device>/<mode>`."""

    cause: WipeCause
    by: Annotated[str, Field(max_length=128)]
    """Who asked for it, as the ledger names it."""

    begun_at: AwareDatetime
    list_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    """The same that alerts and the ledger name; None where the list did not open, or there was none."""

    list_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Of the list that was live, which its pseudonymous manifest names, too; known without opening anything."""

    references: Count
    templates: Count
    lists: Count
    keys: Count
    destroyed_in_s: Seconds | None
    """Until matching had stopped, the keys were overwritten and the files gone; None where whoever did it was killed
    before that could be said."""

    answering_in_s: Seconds | None
    """Until the new process answered; None where the process was not replaced."""

    is_process_replaced: bool
    is_clean: bool | None
    """Whether the search found nothing, and could look at everything; None where there was nothing to look for."""

    proof: ProofFigures | None
    """None where there was nothing to look for."""

    software: Annotated[str, Field(max_length=64)]


def figures_of(proof: WipeProof) -> ProofFigures:
    """The proof as it stands in a certificate."""
    return ProofFigures.model_validate(asdict(proof))


def certificate_path(folder: Path, begun_at: datetime) -> Path:
    """Where the certificate of a wipe that began then lies in the mode's state folder."""
    return folder / FOLDER / f"wipe-{begun_at:%Y%m%dT%H%M%S.%fZ}.json"


def keep_certificate(certificate: WipeCertificate, folder: Path, key: SigningKey) -> bytes:
    """
    Sign the certificate, keep it in the mode's state folder, and give the document; it replaces what has its name.

    Raises:
        WatchlistStorageError: The disk does not take it; the wipe stands all the same.
    """
    document = sign_document(Kind.WIPE_CERTIFICATE, certificate, key)
    try:
        (folder / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(certificate_path(folder, certificate.begun_at), document)
    except OSError as error:
        message = f"the wipe is done, but its certificate cannot be written: {error.strerror}"
        raise WatchlistStorageError(
            message, remedy="free disk space; `edge-lfr ledger show` says what was done"
        ) from None
    return document
