"""Which bundle a sealed list was loaded from, and under what: what an authority that names a list is compared with."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Origin(BaseModel):
    """
    What a bundle said of itself, as its issuer signed it; it stands sealed in the list's manifest.

    A list that was loaded from a folder has none, and is searched in training only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """The issuer's name of the list; not the random id of the sealed store."""

    issuer_key: Sha256
    """SHA-256 of the raw public key that signed the bundle."""

    extracted_at: AwareDatetime
    """When the force's records were asked for it."""

    manifest_sha256: Sha256
    """Of the bundle's manifest, byte for byte."""

    authority_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    """The authority that allowed the load, as revocations name it; None in training. It stands in clear, too."""

    authority_digest: Sha256 | None = None
    """Of that authority, as the ledger and receipts name it."""
