"""Watchlist bundles: read to their last byte as a load would, with every picture checked, and nothing enrolled."""

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import cv2
import numpy as np

from edge_lfr.errors import AgeFileError, WatchlistFormatError
from edge_lfr.evaluation.fuzzing.byte_changes import changed_bytes
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import APPLIANCE, DEVICE, KEYS, NOW, STRANGER, made_trust
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.age_files import AgeIdentity, AgeRecipient, encrypt
from edge_lfr.governance.trust import Role, SigningKey
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.composition import DatedPictures, compose
from edge_lfr.watchlist.bundle.enrolling import BundleSource, refused_by_rules
from edge_lfr.watchlist.bundle.manifest import SUFFIXES
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError, PictureType

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)

FIELDS: Final = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "kind": (156, 1),
    "link": (157, 100),
    "magic": (257, 8),
    "owner": (265, 32),
    "device": (329, 16),
    "prefix": (345, 155),
    "rest": (500, 12),
}
"""Of a member's head (POSIX.1-1988, ustar): where each begins, and how long it is."""

FIELD_VALUES: Final = (
    b"",
    b"\0",
    b"0",
    b"1",
    b"2",
    b"5",
    b"L",
    b"x",
    b"g",
    b"S",
    b"../../etc/passwd",
    b"/etc/passwd",
    b"manifest.json",
    b"manifest.sig",
    b"pictures/000001.jpg",
    b"a" * 200,
    b"77777777777\0",
    b"00000000000\0",
    b"\x80" + b"\xff" * 11,
    b"\xff" * 12,
    b"-0000000001\0",
    b"ustar  \0",
)

STANZAS: Final = (
    b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    b"-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    b"-> X25519\n\n",
    b"-> ssh-rsa AAAA\nAAAA\n",
    b"-> piv-p256 AAAA AAAA\n\n",
    b"-> grease " + b"a" * 2_000 + b"\n\n",
    b"-> grease\n" + (b"A" * 64 + b"\n") * 100 + b"\n",
    b"-> \n\n",
    b"->\n",
    b"--- \n",
)
"""Of an age file's head: other kinds of recipients, and such as no tool writes."""

_TRAINER: Final = KEYS[Role.TRAIN]


def grey_picture(kind: PictureType, number: int) -> bytes:
    """One grey, in which nobody is."""
    pixels = np.full((24 + number, 16, 3), 90 + number, dtype=np.uint8)
    is_made, encoded = cv2.imencode(f".{SUFFIXES[kind]}", pixels)
    assert is_made  # noqa: S101 - of a codec that is there
    return bytes(encoded.tobytes())


def manifest_of(pictures: Sequence[tuple[PictureType, bytes]], now: datetime) -> dict[str, Any]:
    """What an issuer would say *now* about one entry for every picture."""
    entries = [
        {
            "reference_id": f"MADE-{number:05}",
            "label": f"Made {number}",
            "category": "suspect",
            "legal_basis": "made for a test",
            "response_code": "observe",
            "requester": "edge-lfr",
            "expires_at": (now + timedelta(days=9)).isoformat(),
            "review_on": (now + timedelta(days=30)).date().isoformat(),
            "born_on": "1980-01-01",
            "why_here": "made for a test",
            "under_18_necessity": None,
            "under_18_countersigned_by": None,
            "approved_by": None,
            "is_bluelist": False,
            "pictures": [
                {
                    "name": f"pictures/{number:06}.{SUFFIXES[kind]}",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "bytes": len(content),
                    "type": kind.value,
                    "source": "made",
                    "taken_on": "unknown",
                }
            ],
        }
        for number, (kind, content) in enumerate(pictures, start=1)
    ]
    return {
        "schema": "lfr.watchlist/1",
        "mode": "training",
        "issuer": "Made for a test",
        "devices": [DEVICE],
        "list_id": "made-1",
        "extracted_at": (now - timedelta(hours=2)).isoformat(),
        "entries": entries,
    }


def member(name: bytes, content: bytes) -> bytes:
    """A plain file as `tar --format=ustar` packs it."""
    head = bytearray(BLOCK)
    for place, value in (
        (0, name),
        (100, b"0000600\0" + b"0000000\0" * 2 + f"{len(content):011o}\0".encode() + b"00000000000\0"),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ):
        head[place : place + len(value)] = value
    return with_checksum(bytes(head)) + content + bytes(-len(content) % BLOCK)


def with_checksum(head: bytes) -> bytes:
    """The same head, with the checksum that its other bytes have."""
    total = sum(head[:148]) + 8 * ord(" ") + sum(head[156:BLOCK])
    return head[:148] + f"{total:06o}\0 ".encode() + head[156:]


def members_of(manifest: bytes, pictures: Sequence[tuple[PictureType, bytes]], signer: SigningKey) -> list[bytes]:
    """A bundle's members in order, signed."""
    named = [
        member(f"pictures/{number:06}.{SUFFIXES[kind]}".encode(), content)
        for number, (kind, content) in enumerate(pictures, start=1)
    ]
    return [member(b"manifest.json", manifest), member(b"manifest.sig", signer.sign(manifest)), *named]


def sealed(plain: bytes, recipient: AgeRecipient) -> bytes:
    """Whoever knows the recipient can do this: it is no secret."""
    out = io.BytesIO()
    encrypt(io.BytesIO(plain), out, [recipient])
    return out.getvalue()


class Bundles:
    """Two sound ones, and every layer of them: the age file, the archive, the manifest, the pictures."""

    name = "bundle"

    def __init__(self, now: datetime = NOW, identity: AgeIdentity | None = None) -> None:
        self._now = now
        self._identity = AgeIdentity.generate() if identity is None else identity
        self._trust = made_trust(now)
        kinds = tuple(PictureType)
        self._pictures = tuple((kind, grey_picture(kind, number)) for number, kind in enumerate(kinds))
        self._manifests = tuple(manifest_of(self._pictures[:count], now) for count in (2, 4))
        packed = [json.dumps(manifest).encode() for manifest in self._manifests]
        self._members = tuple(
            members_of(manifest, self._pictures[:count], _TRAINER)
            for manifest, count in zip(packed, (2, 4), strict=True)
        )
        self._digests = {hashlib.sha256(manifest).hexdigest() for manifest in packed}
        self.specimens = tuple(self._sealed(b"".join(members) + END) for members in self._members)

    @property
    def aid(self) -> str:
        """Opens what these specimens became; nothing else was ever encrypted to it."""
        return self._identity.secret()

    def _sealed(self, plain: bytes) -> bytes:
        return sealed(plain, self._identity.recipient)

    def structured(self, drawn: Random) -> Mutant:
        layers = (
            self._head,
            self._archive,
            self._archive,
            self._archive_bytes,
            self._manifest,
            self._manifest,
            self._picture,
        )
        return drawn.choice(layers)(drawn)

    def _head(self, drawn: Random) -> Mutant:
        """Another stanza in the head of the age file, or one less."""
        head, mark, rest = drawn.choice(self.specimens).partition(b"\n--- ")
        lines = head.split(b"\n")
        place = drawn.randint(0, len(lines))
        if drawn.random() < 1 / 4:
            del lines[place : place + drawn.randint(1, 2)]
        else:
            lines[place:place] = [drawn.choice(STANZAS).rstrip(b"\n")] * drawn.choice((1, 1, 3, 90, 900))
        return Mutant(b"\n".join(lines) + mark + rest, "age head")

    def _archive(self, drawn: Random) -> Mutant:
        """Another field in the head of a member, with its checksum; or members in another order."""
        members = list(drawn.choice(self._members))
        place = drawn.randrange(len(members))
        how = drawn.choice(("field", "field", "field", "order", "remove", "double", "foreign"))
        match how:
            case "order":
                drawn.shuffle(members)
            case "remove":
                del members[place]
            case "double":
                members.insert(drawn.randint(0, len(members)), members[place])
            case "foreign":
                content = drawn.randbytes(drawn.randint(0, 2_000))
                members.insert(place, member(drawn.choice(FIELD_VALUES)[:100], content))
            case _:
                name = drawn.choice(tuple(FIELDS))
                begin, length = FIELDS[name]
                value = drawn.choice(FIELD_VALUES)[:length].ljust(length, b"\0")
                head = members[place][:BLOCK]
                members[place] = with_checksum(head[:begin] + value + head[begin + length :]) + members[place][BLOCK:]
                how = f"head's {name}"
        end = drawn.choice((END, END, END, END[:BLOCK], b"", END + bytes(10_240), END + b"x"))
        return Mutant(self._sealed(b"".join(members) + end), f"archive: {how}")

    def _archive_bytes(self, drawn: Random) -> Mutant:
        plains = [b"".join(members) + END for members in self._members]
        plain, how = changed_bytes(drawn, plains)
        return Mutant(self._sealed(plain), f"archive: {how}")

    def _manifest(self, drawn: Random) -> Mutant:
        """One field of the manifest says something else, signed again by who may, or by who may not."""
        which = drawn.randrange(len(self._manifests))
        changed, how = changed_tree(drawn, self._manifests[which])
        return self._signed(drawn, json_bytes(drawn, changed), self._members[which][2:], f"manifest {how}")

    def _picture(self, drawn: Random) -> Mutant:
        """A hostile picture that the manifest names rightly."""
        pictures = list(self._pictures)
        place = drawn.randrange(len(pictures))
        content, how = changed_bytes(drawn, [content for _, content in self._pictures])
        pictures[place] = (pictures[place][0], content or b"\0")
        manifest = json.dumps(manifest_of(pictures, self._now)).encode()
        return self._signed(drawn, manifest, members_of(manifest, pictures, _TRAINER)[2:], f"picture: {how}")

    def _signed(self, drawn: Random, manifest: bytes, pictures: Sequence[bytes], how: str) -> Mutant:
        signer = drawn.choice((_TRAINER,) * 8 + (KEYS[Role.ISSUE], STRANGER, APPLIANCE))
        members = [member(b"manifest.json", manifest), member(b"manifest.sig", signer.sign(manifest)), *pictures]
        untrusted = self._sealed(b"".join(members) + END)
        return Mutant(untrusted, how, is_signed_anew=signer is _TRAINER)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        try:
            with BundleReader(
                io.BytesIO(mutant.untrusted),
                self._identity,
                self._trust,
                mode=Mode.TRAINING,
                device=DEVICE,
                device_fingerprint=APPLIANCE.fingerprint,
                now=self._now,
            ) as bundle:
                digest = bundle.digest
                self._read(bundle)
        except (AgeFileError, WatchlistFormatError) as error:
            return refused(error)
        return of_signed(mutant, is_same=digest in self._digests)

    def _read(self, bundle: BundleReader) -> None:
        """As enrolment takes it: rules before pictures, then one reference after the other."""
        dated = [DatedPictures(entry.entry(), entry.taken_on) for entry in bundle.manifest.entries]
        forbidden = refused_by_rules(dated, at=self._now, authorised_categories=None)
        compose(dated, self._now)
        for reference in BundleSource(bundle, forbidden).references():
            for row in () if reference.refused else reference.rows:
                try:
                    row.read()
                except PictureRefusedError:
                    continue

    def close(self) -> None:
        """Nothing was prepared."""
