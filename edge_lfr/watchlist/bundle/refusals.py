"""Why a watchlist bundle is refused: one reason for each way in which it can be wrong, each with what to do."""

from enum import StrEnum
from typing import Final

from edge_lfr.errors import BundleError


class BundleRefusal(StrEnum):
    """The stable code of a refusal; a report, a test and a help page name it."""

    FILE = "bundle-file"
    """It cannot be opened, or is no plain file."""

    FOLDER = "bundle-folder"
    """It is a folder, such as a bundle is made of."""

    ARCHIVE_CUT = "archive-cut"
    """The archive ends before its end."""

    ARCHIVE_HEADER = "archive-header"
    """The head of a member is not one of a plain ustar archive."""

    ARCHIVE_KIND = "archive-kind"
    """A member is no regular file: a folder, a link, a device, an extension of the format."""

    ARCHIVE_NAME = "archive-name"
    """A member has a name that no bundle needs."""

    ARCHIVE_SIZE = "archive-size"
    """A member says a size that makes no sense, or is larger than what stands there may be."""

    ARCHIVE_PADDING = "archive-padding"
    """Something other than zeros fills a member's last block."""

    ARCHIVE_TRAILING = "archive-trailing"
    """Something follows the end of the archive."""

    MEMBER_ORDER = "member-order"
    """Another member was expected here: one is missing, one is too many, or they stand in another order."""

    SIGNATURE_SIZE = "signature-size"
    """manifest.sig is no Ed25519 signature."""

    ISSUER_UNKNOWN = "issuer-unknown"
    """No key that this appliance trusts has signed exactly this manifest."""

    ISSUER_ROLE = "issuer-role"
    """A trusted key has signed it, which may sign other things only."""

    ISSUER_NOT_VALID = "issuer-not-valid"
    """An issuer's key has signed it, whose time has not begun or is over."""

    ISSUER_NOT_AUTHORISED = "issuer-not-authorised"
    """An issuer's key has signed it, and the deployment authority names another one."""

    MODE = "mode"
    """It was issued for the other mode."""

    DEVICE = "device"
    """It was issued for other appliances."""

    LIST_ID = "list-id"
    """It is another list than the one that was asked for."""

    TOO_MANY_ENTRIES = "too-many-entries"
    """It lists more people than the deployment authority allows."""

    EXTRACT_OLD = "extract-old"
    """It was drawn from the force's systems too long ago."""

    EXTRACT_FUTURE = "extract-future"
    """It claims to be drawn in the future."""

    EXTRACT_SUPERSEDED = "extract-superseded"
    """A later extract of the same list is loaded: this one would bring back whom the issuer took out since."""

    PICTURE_SIZE = "picture-size"
    """A picture is longer or shorter than the manifest says."""

    PICTURE_DIGEST = "picture-digest"
    """A picture is not the one that the manifest names."""


_MADE_BADLY: Final = "ask the issuer for a new bundle, made with `edge-lfr watchlist build` or as the pages say"

_REMEDIES: Final = {
    BundleRefusal.FILE: "name the .lfrw file itself, readable by this user: no folder, link or pipe",
    BundleRefusal.FOLDER: "make a bundle of it with `edge-lfr watchlist build`, where the watchlist is made",
    BundleRefusal.ARCHIVE_CUT: "copy the bundle again: a part of it is missing",
    BundleRefusal.ARCHIVE_KIND: "the issuer packs plain files by name: tar --format=ustar -cf - manifest.json ...",
    BundleRefusal.MEMBER_ORDER: "the issuer packs manifest.json, manifest.sig and the pictures in manifest order",
    BundleRefusal.SIGNATURE_SIZE: "the issuer signs with `openssl pkeyutl -sign -rawin` and an Ed25519 key",
    BundleRefusal.ISSUER_UNKNOWN: "compare fingerprints with the issuer by telephone before root trusts a new key",
    BundleRefusal.ISSUER_ROLE: "the issuer signs with the key for watchlists of this mode",
    BundleRefusal.ISSUER_NOT_VALID: "check this appliance's clock; ask the issuer to sign with a key that is valid now",
    BundleRefusal.ISSUER_NOT_AUTHORISED: "have the issuer sign it whom the authority names, or a new authority signed",
    BundleRefusal.MODE: "load it on an appliance in that mode, or ask the issuer for a bundle for this one",
    BundleRefusal.DEVICE: "ask the issuer for a bundle that names this appliance as `force/device`",
    BundleRefusal.LIST_ID: "take the bundle that the authority names",
    BundleRefusal.TOO_MANY_ENTRIES: "ask the issuer for a shorter list, or have a larger one authorised",
    BundleRefusal.EXTRACT_OLD: "ask the issuer for a new extract",
    BundleRefusal.EXTRACT_SUPERSEDED: "take the issuer's latest bundle; if it must be this one, wipe the list before",
    BundleRefusal.EXTRACT_FUTURE: "check this appliance's clock and the issuer's",
}


class BundleRefusedError(BundleError):
    """A bundle is not believed; nothing of it may be used."""

    def __init__(self, refusal: BundleRefusal, message: str) -> None:
        super().__init__(f"{refusal}: {message}", remedy=_REMEDIES.get(refusal, _MADE_BADLY))
        self.refusal = refusal
