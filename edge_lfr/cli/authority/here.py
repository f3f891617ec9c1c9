"""What this appliance brings to an authority: its name, its keys, its model pack; and the files that are handed in."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import AuthorityError, AuthorityStorageError
from edge_lfr.governance.authority.installed import require_in_time
from edge_lfr.governance.authority.judgement import (
    AuthorityRefusal,
    AuthorityRefusedError,
    Judgement,
    StepResult,
    Verdict,
    judge_authority,
)
from edge_lfr.governance.authority.revocation import Revocations
from edge_lfr.governance.authority.rules import pack_faults
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import MAX_DOCUMENT_BYTES, Fault
from edge_lfr.governance.trust import TrustStore
from edge_lfr.inference.catalogue import PackEntry, load_catalogue
from edge_lfr.inference.installed import with_recorded_golden
from edge_lfr.terms import Mode

PACK_STEP: Final = "pack"
"""Comes after the steps that any machine can take: only the appliance knows its pack."""

INSTALLATION_STEP: Final = "installation"
"""Comes last, for a file that has yet to be installed: whether it comes in time, and the time is known."""

READABLE: Final = 0o644
"""A signed document is no secret."""


class AuthorityClockError(AuthorityError):
    """An authority has a beginning and an end, and the clock that would tell them is not trusted."""

    code = "authority.clock"
    exit_status = os.EX_TEMPFAIL
    remedy = (
        "see `edge-lfr clock show`: have the time synchronised, or set it and confirm it with `edge-lfr clock confirm`"
    )


def own_fingerprint(config: ApplianceConfig) -> str | None:
    """The appliance's own key, which counts for no role; None where it has none yet."""
    if not DeviceKeys.exist(config.device_directory):
        return None
    return DeviceKeys.load(config.device_directory).fingerprint


def trusted_here(config: ApplianceConfig) -> TrustStore:
    """The keys that this appliance trusts; in operation root's files alone."""
    return TrustStore.load(config.trust.directory, roots_alone=config.mode is Mode.OPERATIONAL)


def configured_entry(config: ApplianceConfig) -> PackEntry:
    """The configured pack as it would run, with the golden values that were recorded here."""
    entry = load_catalogue(config.models.catalogue).pack(config.models.pack)
    return with_recorded_golden(entry, config.models_directory)


def judged_here(config: ApplianceConfig, untrusted: bytes, now: datetime) -> Judgement:
    """Every step of an authority's verification on this appliance, and one for its model pack."""
    judged = judge_authority(
        untrusted,
        trust=trusted_here(config),
        device=config.device_name,
        device_fingerprint=own_fingerprint(config),
        now=now,
        policy=config.policy.authority,
        revocations=Revocations.load(config.state_directory),
    )
    number = len(judged.steps) + 1
    if judged.authority is None:
        return Judgement((*judged.steps, StepResult(number, PACK_STEP, Verdict.NOT_REACHED)), None, None)
    entry = configured_entry(config)
    faults = pack_faults(judged.authority, entry)
    if faults:
        refused = StepResult(number, PACK_STEP, Verdict.REFUSED, entry.id, AuthorityRefusal.PACK, faults)
        return Judgement((*judged.steps, refused), judged.authority, None)
    floor = entry.floor(judged.authority.watchlist.max_entries)
    detail = f"{entry.id}, floor {floor.threshold:g} ({floor.evidence})"
    return Judgement(
        (*judged.steps, StepResult(number, PACK_STEP, Verdict.OK, detail)), judged.authority, judged.verified
    )


def judged_to_install(config: ApplianceConfig, untrusted: bytes, now: datetime) -> Judgement:
    """Every step of `judged_here`, and one for whether `install` would take it now."""
    judged = judged_here(config, untrusted, now)
    number = len(judged.steps) + 1
    if judged.verified is None:
        return replace(judged, steps=(*judged.steps, StepResult(number, INSTALLATION_STEP, Verdict.NOT_REACHED)))
    time = glance(config.mode_directory)
    if not time.is_trusted:
        fault = Fault("clock", f"not trusted: {time.doubt}", AuthorityClockError.remedy)
        step = StepResult(number, INSTALLATION_STEP, Verdict.REFUSED, "", AuthorityRefusal.CLOCK, (fault,))
        return replace(judged, steps=(*judged.steps, step))
    try:
        require_in_time(config.mode_directory, judged.verified, now)
    except AuthorityRefusedError as error:
        step = StepResult(number, INSTALLATION_STEP, Verdict.REFUSED, "", error.refusal, error.faults)
        return replace(judged, steps=(*judged.steps, step))
    return replace(judged, steps=(*judged.steps, StepResult(number, INSTALLATION_STEP, Verdict.OK, "in time")))


def read_bounded(path: Path) -> bytes:
    """
    Read what may be a document; one byte more than its bounds tells the reader that it is none.

    Raises:
        AuthorityStorageError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        remedy = "check the path and its mode"
        raise AuthorityStorageError(f"{path}: cannot be read: {error.strerror}", remedy=remedy) from None


def create_new(path: Path, content: bytes) -> None:
    """
    Make a file that must not exist, for everybody to read.

    Raises:
        AuthorityStorageError: It exists, or cannot be written.
    """
    try:
        create_durably(path, content, mode=READABLE)
    except FileExistsError:
        message = f"{path}: exists already"
        raise AuthorityStorageError(message, remedy="name another file, or remove this one") from None
    except OSError as error:
        remedy = "check the folder and the space on the disk"
        raise AuthorityStorageError(f"{path}: cannot be written: {error.strerror}", remedy=remedy) from None
