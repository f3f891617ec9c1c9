"""What was loaded, for whoever asks later: counts and digests of a bundle and of the list made of it, no identities."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

import edge_lfr
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import WatchlistStorageError
from edge_lfr.governance.documents import (
    MAX_DOCUMENT_BYTES,
    DocumentRefusedError,
    Kind,
    read_document,
    sign_document,
)
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.bundle.admission import AdmittedBundle
from edge_lfr.watchlist.bundle.rules import EntryReason
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, RowOutcome

FOLDER: Final = "receipts"

MAX_LOOKED_AT: Final = 64
"""A day has a handful of loads, and an extract of yesterday is refused anyway. Chosen."""

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LoadReceipt(BaseModel):
    """Signed by the appliance."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    schema_version: Literal["lfr.load-receipt/1"] = Field("lfr.load-receipt/1", alias="schema")
    device: Annotated[str, Field(max_length=256)]
    """`<force>/<device>/<mode>`."""

    by: Annotated[str, Field(max_length=128)]
    """Who asked for it, as the ledger names it."""

    loaded_at: AwareDatetime
    list_id: Annotated[str, Field(max_length=64)]
    """The issuer's name of the list."""

    manifest_digest: Digest
    """Of the bundle, as the issuer noted it."""

    issuer: Digest
    """Fingerprint of the key that signed the bundle."""

    extracted_at: AwareDatetime
    authority_digest: Digest | None
    """Of the deployment authority that allowed it; None in training."""

    list_digest: Digest | None
    """The same that alerts and the ledger name; None where somebody changed the list before it could be read."""

    entries: Count
    """In the bundle; with its pictures."""

    pictures: Count
    references: Count
    """In the list; with their templates."""

    templates: Count
    unlawful: Count
    """Entries that rules forbid."""

    outcomes: dict[RowOutcome, Count]
    """How many pictures ended how."""

    reasons: dict[EntryReason, Count]
    """How many entries each rule forbids."""

    is_partial: bool
    """Whether anything of the bundle was left out."""

    pack_digest: Digest
    threshold: float
    threshold_evidence: Annotated[str, Field(max_length=64)]
    """Whether its false alerts were measured for a list of this size."""

    wipe_at: AwareDatetime
    """After this time the list must not exist."""

    software: Annotated[str, Field(max_length=64)]

    @classmethod
    def of(
        cls,
        bundle: AdmittedBundle,
        report: EnrolmentReport,
        *,
        device: str,
        by: str,
        loaded_at: datetime,
        list_digest: str | None,
        pack_digest: str,
        wipe_at: datetime,
    ) -> Self:
        """
        Sum up a load whose list is live.

        Raises:
            ValueError: Nothing was enrolled (a caller's mistake).
        """
        if report.threshold is None or report.expected_false_alerts is None:
            message = "nothing was enrolled"
            raise ValueError(message)
        manifest = bundle.reader.manifest
        return cls(
            device=device,
            by=by,
            loaded_at=loaded_at,
            list_id=manifest.list_id,
            manifest_digest=bundle.reader.digest,
            issuer=bundle.reader.issuer.fingerprint,
            extracted_at=manifest.extracted_at,
            authority_digest=bundle.terms.authority_digest,
            list_digest=list_digest,
            entries=len(manifest.entries),
            pictures=manifest.picture_count,
            references=report.enrolled_references,
            templates=report.enrolled_templates,
            unlawful=len(report.unlawful),
            outcomes=report.outcomes(),
            reasons={
                EntryReason(code): count
                for code, count in Counter(code for codes in bundle.refused.values() for code in codes).items()
            },
            is_partial=not report.is_complete,
            pack_digest=pack_digest,
            threshold=report.threshold,
            threshold_evidence=report.expected_false_alerts.evidence,
            wipe_at=wipe_at,
            software=edge_lfr.__version__,
        )


def keep_receipt(receipt: LoadReceipt, folder: Path, key: SigningKey) -> tuple[Path, bytes]:
    """
    Sign the receipt, keep it in the mode's state folder, and give its path there and the document.

    Raises:
        WatchlistStorageError: The disk does not take it; the list is loaded all the same.
    """
    document = sign_document(Kind.LOAD_RECEIPT, receipt, key)
    path = folder / FOLDER / f"load-{receipt.loaded_at:%Y%m%dT%H%M%S.%fZ}.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_durably(path, document)
    except OSError as error:
        message = f"the list is loaded, but its receipt cannot be written: {error.strerror}"
        raise WatchlistStorageError(message, remedy="free disk space, and load the bundle again") from None
    return path, document


def later_extract(folder: Path, list_id: str, extracted_at: datetime) -> datetime | None:
    """
    The latest extract of that list that was loaded here, if it is later than *extracted_at*; also after its wipe.

    Only the latest receipts are looked at; one that cannot be read says nothing.
    """
    later: datetime | None = None
    for path in sorted((folder / FOLDER).glob("load-*.json"), reverse=True)[:MAX_LOOKED_AT]:
        try:
            with path.open("rb") as file:
                found = read_document(file.read(MAX_DOCUMENT_BYTES + 1), Kind.LOAD_RECEIPT, LoadReceipt).content
        except (OSError, DocumentRefusedError):
            continue
        if found.list_id == list_id and found.extracted_at > (later or extracted_at):
            later = found.extracted_at
    return later
