"""Bundles with hostile pictures, through the real enrolment with the real nets: no list may come of a refused one."""

import hashlib
import io
import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.errors import AgeFileError, WatchlistFormatError
from edge_lfr.evaluation.bench.ground import Ground
from edge_lfr.evaluation.fuzzing.bundles import END, grey_picture, manifest_of, members_of, sealed
from edge_lfr.evaluation.fuzzing.byte_changes import changed_bytes
from edge_lfr.evaluation.fuzzing.campaign import LIMIT_S
from edge_lfr.evaluation.fuzzing.case import INCOMING, Mutant, Outcome, Verdict, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import APPLIANCE, DEVICE, KEYS, NOW, StillClock, made_trust
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import Role
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.enrolling import BundleSource
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.enrolling.pictures import PictureType
from edge_lfr.watchlist.sealed.store import LISTS, SealedStore

PICTURES: Final = 6
"""Of one bundle; chosen."""


def _require_no_list(store: SealedStore) -> None:
    """Locks may stay, and nothing else."""
    left = [path for path in (store.directory / LISTS).rglob("*") if not path.is_dir()]
    if left or not store.is_empty():
        message = f"no list was activated, and {len(left)} files of one are there"
        raise AssertionError(message)


def _png(width: int, height: int, data: bytes) -> bytes:
    """A PNG of one grey that says any size and holds any data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMBS: Final[tuple[Callable[[Random], tuple[PictureType, bytes]], ...]] = (
    lambda drawn: (PictureType.PNG, _png(4_000, 4_000, zlib.compress(bytes(drawn.choice((1, 4_001 * 4_000)))))),
    lambda drawn: (PictureType.PNG, _png(16, 16, zlib.compress(bytes(drawn.choice((10, 20_000_000)))))),
    lambda drawn: (PictureType.PNG, _png(drawn.choice((2**31 - 1, 2**32 - 1, 20_000)), 1, b"")),
    lambda drawn: (
        PictureType.BMP,
        b"BM"
        + struct.pack(
            "<IIIIiiHHIIiiII",
            54,
            0,
            54,
            40,
            drawn.choice((-1, 2**31 - 1, 900)),
            drawn.choice((-(2**31), 2**31 - 1, 900)),
            1,
            24,
            0,
            0,
            0,
            0,
            0,
            0,
        ),
    ),
    lambda drawn: (
        PictureType.JPEG,
        b"\xff\xd8\xff\xe1" + struct.pack(">H", drawn.choice((0, 2, 65_535))) + b"Exif\0\0",
    ),
    lambda drawn: (PictureType.JPEG, drawn.choice((b"\xff\xd8\xff", b"\xff\xd8" + b"\xff" * 60_000))),
)
"""More pixels, more data, or less of both than the head says."""


class Enrolments:
    """Bundles of pictures in which nobody is: whatever comes, no list is activated."""

    name = "enrolment"

    limit_s = PICTURES * LIMIT_S
    """For a bundle whose pictures may each be as large as any that is decoded."""

    def __init__(self, ground: Ground) -> None:
        self._config: ApplianceConfig = ground.config()
        self._stages = EnrolmentStages.of(ground.open_pack(threads=1), self._config.detection, lanes=1)
        self._identity = AgeIdentity.generate()
        self._trust = made_trust()
        pictures = [(kind, grey_picture(kind, number)) for number, kind in enumerate(PictureType)]
        sound = self._bundle(pictures)
        self._digest = hashlib.sha256(json.dumps(manifest_of(pictures, NOW)).encode()).hexdigest()
        self.specimens = (sound,)

    @property
    def aid(self) -> str:
        """Opens what these specimens became; nothing else was ever encrypted to it."""
        return self._identity.secret()

    def _bundle(self, pictures: list[tuple[PictureType, bytes]]) -> bytes:
        manifest = json.dumps(manifest_of(pictures, NOW)).encode()
        plain = b"".join(members_of(manifest, pictures, KEYS[Role.TRAIN])) + END
        return sealed(plain, self._identity.recipient)

    def structured(self, drawn: Random) -> Mutant:
        pictures = []
        for number in range(PICTURES):
            if drawn.random() < 1 / 3:
                pictures.append(drawn.choice(BOMBS)(drawn))
                continue
            kind = drawn.choice(tuple(PictureType))
            content, _ = changed_bytes(drawn, [grey_picture(kind, number)])
            pictures.append((kind, content or b"\0"))
        return Mutant(self._bundle(pictures), "hostile pictures", is_signed_anew=True)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        (folder / INCOMING).mkdir()
        kek = KeyEncryptingKey.load(folder / INCOMING, create=True)
        store = SealedStore(folder / INCOMING / "watchlist", kek, clock=StillClock())
        try:
            with BundleReader(
                io.BytesIO(mutant.untrusted),
                self._identity,
                self._trust,
                mode=Mode.TRAINING,
                device=DEVICE,
                device_fingerprint=APPLIANCE.fingerprint,
                now=NOW,
            ) as bundle:
                digest = bundle.digest
                report = enrol(
                    BundleSource(bundle, {}),
                    store,
                    self._stages,
                    quality=self._config.quality,
                    decision=self._config.decision,
                    accept_partial=True,
                )
        except (AgeFileError, WatchlistFormatError) as error:
            _require_no_list(store)
            return refused(error)
        if report.list_id is None:
            _require_no_list(store)
        if mutant.untrusted in self.specimens:
            return Outcome(Verdict.UNCHANGED)
        if report.list_id is not None or digest == self._digest:
            return of_signed(mutant, is_same=digest == self._digest)
        reasons = Counter(str(row.outcome) for row in report.rows)
        return Outcome(Verdict.REFUSED, f"enrolment: {reasons.most_common(1)[0][0]}")

    def close(self) -> None:
        """Nothing was prepared."""
