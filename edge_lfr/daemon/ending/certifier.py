"""The proof of a wipe, in a thread of its own: the appliance answers meanwhile."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from edge_lfr.daemon.ending.unsigned_wipes import forget
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCertificate
from edge_lfr.watchlist.wiping.ended_list import EndedList

log = structlog.get_logger()


@dataclass(slots=True, eq=False, kw_only=True)
class Certifier:
    """Certifies one ended list at a time, and remembers the last document."""

    device: str
    """`<force>/<device>/<mode>`."""

    store: SealedStore
    folder: Path
    """The mode's state folder."""

    kek: KeyEncryptingKey
    signing: SigningKey
    on_certified: Callable[[WipeCertificate, bytes], None]
    """Gets the certificate and its signed document."""

    is_recorded: Callable[[], bool] = lambda: True
    """Whether what was told has its line in the ledger."""

    _thread: threading.Thread | None = field(default=None, init=False)
    _beginning: threading.Lock = field(default_factory=threading.Lock, init=False)
    _ended: EndedList | None = field(default=None, init=False)
    """What that thread looks for, or has looked for."""

    latest: bytes | None = field(default=None, init=False)
    """The signed document of the last wipe of this run."""

    def begin(self, ended: EndedList, *, answering_in_s: float | None) -> None:
        """
        Look for the list in the background; once for each wipe, whoever asks for it.

        Args:
            ended: What the wipe did.

            answering_in_s: How long after its beginning this process answered; None: it is the one that wiped.
        """
        with self._beginning:
            if ended is self._ended:
                return
            self._ended = ended
        self.latest = None
        self._thread = threading.Thread(
            target=self.certify, args=(ended, answering_in_s), name="certifier", daemon=True
        )
        self._thread.start()

    def certify(self, ended: EndedList, answering_in_s: float | None) -> None:
        """The same in the calling thread; what fails is told, and is left to whoever certifies what nobody has."""
        try:
            certificate, document = ended.certify(
                device=self.device,
                store=self.store,
                folder=self.folder,
                kek=self.kek,
                key=self.signing,
                answering_in_s=answering_in_s,
            )
        except (EdgeLfrError, OSError, ValueError) as error:
            log.error("wipe.not-certified", error=type(error).__name__)
            return
        self.on_certified(certificate, document)
        if self.is_recorded():
            forget(ended.begun_at, self.folder)
        self.latest = document
        proof = certificate.proof
        log.info(
            "wipe.certified",
            cause=certificate.cause.value,
            is_clean=certificate.is_clean,
            seconds=None if proof is None else round(proof.seconds, 3),
        )
