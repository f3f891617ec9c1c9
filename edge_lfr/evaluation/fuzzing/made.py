"""Whom specimens are made by and for: keys of every role, an appliance, an instant; nobody and nothing real."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore
from edge_lfr.terms import Rank

FORCE: Final = "anytown"
DEVICE: Final = "anytown/van-1"
ADDRESSEE: Final = "anytown/van-1/training"

PACK: Final = "yunet-0095"

CONFIG: Final = f"""
mode = "training"
force = "anytown"
device = "van-1"
state_directory = "state"
runtime_directory = "run"
[models]
pack = "{PACK}"
[[cameras]]
id = "north"
source = "none.mp4"
[reporting.broker]
host = "127.0.0.1"
port = 1
[trust]
directory = "trust.d"
"""
"""Of an appliance that never runs; nobody listens at port 1."""

NOW: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""When everything happens; after the program was built, as the clock's rules want it."""


def made_key(name: str) -> SigningKey:
    """The same key for the same name in every run, so that a campaign can be repeated; no appliance trusts it."""
    return SigningKey.from_raw(hashlib.sha256(f"made for fuzzing: {name}".encode()).digest())


KEYS: Final = {role: made_key(role) for role in Role}
"""One of each role."""

SECOND_OFFICER: Final = made_key("second officer")
APPLIANCE: Final = made_key("appliance")
"""The device's own."""

STRANGER: Final = made_key("stranger")
"""Whom nobody trusts."""


def made_trust(now: datetime = NOW) -> TrustStore:
    """Every role's key, and a second officer's, for a year around *now*."""
    half = timedelta(days=182)
    keys = (
        ("second officer", Role.AUTHORISE, SECOND_OFFICER, Rank.SUPERINTENDENT),
        *((role.value, role, key, None) for role, key in KEYS.items()),
    )
    return TrustStore(
        {
            key.fingerprint: TrustedKey(key.fingerprint, role, now - half, now + half, f"made {name}", key.public, rank)
            for name, role, key, rank in keys
        }
    )


def trust_file(role: Role, key: SigningKey, now: datetime = NOW) -> bytes:
    """As `edge-lfr keys new` writes it."""
    public_text = base64.b64encode(key.public.public_bytes_raw()).decode("ascii")
    half = timedelta(days=182)
    return (
        f'role = "{role}"\n'
        f'name = "Made {role}"\n'
        f'public_key = "{public_text}"\n'
        f"not_before = {(now - half).isoformat()}\n"
        f"not_after = {(now + half).isoformat()}\n"
    ).encode()


@dataclass(slots=True)
class StillClock:
    """Stands at one instant, and moves only when somebody waits."""

    now: datetime = NOW
    elapsed_ns: int = 1_000_000_000_000

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    def boottime_ns(self) -> int:
        return self.elapsed_ns

    def utc_now(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed_ns += round(seconds * 1e9)


class MadeKernel:
    """Has booted once, and no time server holds its time."""

    def boot_id(self) -> str:
        return "boot-1"

    def is_synchronised(self) -> bool:
        return False

    def has_rtc(self) -> bool:
        return False
