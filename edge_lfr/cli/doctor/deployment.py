"""What the doctor looks at in the deployment: the pack, the watchlist and its key, the cameras, the way to control."""

import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.cli.doctor.arming import check_arming
from edge_lfr.cli.doctor.check import Check, fail, guarded, ok, warn
from edge_lfr.cli.doctor.ledger import check_ledger
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.errors import WatchlistMissingError
from edge_lfr.governance.keys import KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.trust import TrustStore
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import PackEntry, load_catalogue
from edge_lfr.inference.installed import verify, with_recorded_golden
from edge_lfr.inference.packs import OpenPack, open_configured
from edge_lfr.pipeline.capture.redaction import redact
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.selftest import run_selftest
from edge_lfr.watchlist.records.kept import expires_next
from edge_lfr.watchlist.records.pseudonyms import require_officer
from edge_lfr.watchlist.sealed.store import SealedStore

EYES_IN_FACE_WIDTH: Final = 0.4
"""Inter-eye distance as a share of a face's width: 13 px between the eyes is a face about 32 px wide."""

TPM: Final = (Path("/dev/tpmrm0"), Path("/sys/class/tpmrm/tpmrm0"))
"""Where a TPM shows; a service without devices of its own sees the second only."""

BROKER_LIMIT_S: Final = 3.0
"""A broker beside the van answers in milliseconds; chosen, not measured."""


def check_deployment(path: Path, config: ApplianceConfig) -> Iterator[Check]:
    """Everything that belongs to this configuration; one broken part does not hide the others."""
    yield from guarded("configuration", _configuration(path, config))
    yield from guarded("model pack", _pack(config))
    yield from guarded("key", _key(config))
    yield from guarded("watchlist", _watchlist(config))
    yield from guarded("ledger", check_ledger(config))
    yield from guarded("trust", _trust(config))
    yield from guarded("arming", check_arming(config))
    yield from guarded("protection officer", check_officer(config))
    yield from guarded("broker", _broker(config))


def _configuration(path: Path, config: ApplianceConfig) -> Iterator[Check]:
    secrets = [camera.id for camera in config.cameras if "@" in camera.source.get_secret_value()]
    if (secrets or config.reporting.broker.password is not None) and stat.S_IMODE(path.stat().st_mode) & 0o004:
        yield warn("configuration", f"{path}: everybody can read its credentials", f"chmod o= {path}")
    else:
        yield ok("configuration", f"{path}: {config.mode.value}, {config.force}/{config.device}")


def _pack(config: ApplianceConfig) -> Iterator[Check]:
    entry = load_catalogue(config.models.catalogue).pack(config.models.pack)
    verify(entry, config.models_directory)
    yield ok("model pack", f"{entry.id}, digests right")
    if entry.non_commercial:
        yield warn("licence", f"{entry.licence}: training only", "choose another pack for operational use")
    else:
        yield ok("licence", entry.licence)
    pack = open_configured(config.models, config.models_directory)
    yield ok("provider", f"detector on {pack.detector.provider}, embedder on {pack.embedder.provider}")
    yield from guarded("self-test", _selftest(pack))
    yield from _smallest_faces(pack, config)


def _selftest(pack: OpenPack) -> Iterator[Check]:
    result = run_selftest(pack)
    yield ok("self-test", f"cosine {result.cosine:.6f}, landmarks within {result.landmark_error_px:.2f} px")


def _smallest_faces(pack: OpenPack, config: ApplianceConfig) -> Iterator[Check]:
    """The smallest face in a camera's picture, at the largest picture that the camera may hand over."""
    detector = FaceDetector(pack.detector, pack.entry.detector, config.detection)
    wanted_px = config.quality.min_inter_eye_px / EYES_IN_FACE_WIDTH
    for camera in config.cameras:
        size = SizeWH(*camera.frame_limit)
        smallest_px = detector.smallest_face_px(size)
        source = redact(camera.source.get_secret_value())
        found = f"{source}: finds faces from {smallest_px:.0f} px wide in a picture of {size}, the largest it may give"
        if smallest_px > wanted_px:
            remedy = "raise detection.working_size, or choose a pack whose detector has a free size"
            yield warn(f"camera {camera.id}", f"{found}; quality asks for {wanted_px:.0f} px", remedy)
        else:
            yield ok(f"camera {camera.id}", found)


def _key(config: ApplianceConfig) -> Iterator[Check]:
    if not config.mode_directory.is_dir():
        yield ok("key", "none yet; made with the first watchlist")
        return
    key = KeyEncryptingKey.load(config.mode_directory)
    if key.origin is KeyOrigin.FILE:
        remedy = "give the unit a credential (systemd-creds encrypt), sealed by a TPM where there is one"
        yield warn("key", "in a file beside the watchlist: a stolen disk then opens", remedy)
    else:
        yield check_credential(has_tpm=any(path.exists() for path in TPM))


def check_credential(*, has_tpm: bool) -> Check:
    """How it was sealed cannot be seen from a credential; without a TPM only by a key of the host, on its disk."""
    if has_tpm:
        return ok("key", "from a systemd credential")
    found = "from a systemd credential, and no TPM here: the key lies on the same disk, and a stolen disk opens"
    return warn("key", found, "seal it with a TPM (systemd-creds encrypt --with-key=tpm2), or encrypt the disk")


def _watchlist(config: ApplianceConfig) -> Iterator[Check]:
    """Ask a running daemon, since nobody else opens the store; read it here where there is none."""
    client = ControlClient(config.control_socket)
    if client.is_present():
        answer = client.request(Verb.STATUS)
        watchlist = answer.get("watchlist")
        yield ok("daemon", f"running: {answer['status']['state']}")
        if isinstance(watchlist, dict) and watchlist.get("references"):
            yield ok("watchlist", f"{watchlist['references']} references, in use")
            entry = load_catalogue(config.models.catalogue).pack(config.models.pack)
            yield from guarded("threshold", check_threshold(Conditions.of(config), entry, watchlist["templates"]))
        else:
            yield warn("watchlist", "none is loaded", WatchlistMissingError.remedy)
        return
    yield ok("daemon", "not running")
    if not config.watchlist_directory.is_dir():
        yield warn("watchlist", "none is loaded", WatchlistMissingError.remedy)
        return
    store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory), mode=config.mode)
    if store.is_empty():
        yield warn("watchlist", "none is loaded", WatchlistMissingError.remedy)
        return
    catalogue = load_catalogue(config.models.catalogue)
    entry = with_recorded_golden(catalogue.pack(config.models.pack), config.models_directory)
    with store.open() as stored:
        found = (
            f"{stored.references} references, {stored.templates} templates, of {stored.created_at:%Y-%m-%d %H:%M} UTC"
        )
        if stored.pack_digest != entry.digest:
            yield fail("watchlist", f"{found}, enrolled with another pack", "load it again with this pack")
        else:
            yield ok("watchlist", found)
        templates = stored.templates
    yield from guarded("threshold", check_threshold(Conditions.of(config), entry, templates))


def check_threshold(conditions: Conditions, entry: PackEntry, templates: int) -> Iterator[Check]:
    """
    What the pack's calibration says about a watchlist of so many templates; a floor that was extrapolated is a warning.

    Raises:
        ConfigError: The configured threshold lies below the floor.
        ModelContractError: The pack has no calibration for so many.
    """
    floor = conditions.floor(entry, templates)
    threshold = floor.threshold_for(conditions.decision.threshold)
    laxer = conditions.laxer()
    rate = f"laxer than calibrated is {', '.join(laxer)}, not bounded" if laxer else floor.false_alerts_in_words
    above = "" if threshold == floor.threshold else f", above the floor {floor.threshold}"
    found = f"{threshold} for {templates} templates{above}; {floor.evidence}: {rate}"
    if laxer:
        yield warn("threshold", found, "training only; take the defaults of what is named")
    elif floor.evidence == "measured":
        yield ok("threshold", found)
    else:
        yield warn("threshold", found, "training only, until somebody has measured a watchlist of this size")


def _trust(config: ApplianceConfig) -> Iterator[Check]:
    directory = config.trust.directory
    now = SystemClock().utc_now()
    keys = TrustStore.load(directory).keys.values()
    valid = [key for key in keys if key.not_before <= now < key.not_after]
    remedy = f"put the control room's trust file into {directory}; `edge-lfr keys new control` makes one"
    if not valid:
        yield warn("trust", f"no valid key among {len(keys)}: nobody can acknowledge an alert", remedy)
    else:
        yield ok("trust", ", ".join(f"{key.name} ({key.role}) until {key.not_after:%Y-%m-%d}" for key in valid))


def check_officer(config: ApplianceConfig) -> Iterator[Check]:
    """
    Whether somebody will be able to say who was on a list, and what waits to be copied for that.

    Raises:
        ConfigError: The mode is operational, and nobody is configured.
    """
    require_officer(config)
    if config.trust.protection_officer is None:
        remedy = "fine in training; operation needs `protection_officer` in [trust]"
        yield warn("protection officer", "none: after a wipe nobody can say who was on the list", remedy)
        return
    expires_at = expires_next(config.mode_directory, config.retention.chosen)
    found = f"{config.trust.protection_officer[:16]}... can say who was on a list"
    if expires_at is None:
        yield ok("protection officer", found)
    else:
        remedy = "copy them for the officer: `edge-lfr watchlist manifests --copy-to DIR --delete`"
        yield warn("protection officer", f"{found}; the oldest manifest here ends {expires_at:%Y-%m-%d}", remedy)


def _broker(config: ApplianceConfig) -> Iterator[Check]:
    """A connection, and the handshake where there is TLS; nothing is published."""
    broker = config.reporting.broker
    where = f"{broker.host}:{broker.port}"
    try:
        with socket.create_connection((broker.host, broker.port), timeout=BROKER_LIMIT_S) as plain:
            if broker.ca_file is None:
                yield ok("broker", f"{where} answers, without TLS")
                return
            with _tls(broker).wrap_socket(plain, server_hostname=broker.host) as secured:
                yield ok("broker", f"{where} answers, {secured.version()}")
    except (OSError, ssl.SSLError) as error:
        remedy = "check address, certificates and the broker's log; alerts stay stored until it answers"
        yield fail("broker", f"{where}: {error.strerror or error}", remedy)


def _tls(broker: BrokerConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=broker.ca_file)
    if broker.certificate_file is not None:
        context.load_cert_chain(broker.certificate_file, broker.key_file)
    return context
