"""
Watchlist bundles without people: drafts that a test edits before they are packed, and defects by name.

The manifest is written here as a page says it, not by the program's own model, so that both can disagree.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_lfr.governance.age_files import AgeIdentity, AgeRecipient, encrypt
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore
from simulators.archives import END, archive, filled, head, member

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DEVICE = "anytown/van-1"


def trusted(
    key: SigningKey, role: Role, *, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(1)
) -> TrustedKey:
    """As an appliance has it in its trust folder; times are counted from `NOW`."""
    return TrustedKey(key.fingerprint, role, NOW + begins, NOW + ends, f"{role} key", key.public)


def write_trust_file(folder: Path, key: SigningKey, role: Role, now: datetime) -> None:
    """The same as a file, valid around *now*."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    public = base64.b64encode(key.public.public_bytes_raw()).decode()
    (folder / f"{role}.toml").write_text(
        f'role = "{role}"\nname = "{role} key"\npublic_key = "{public}"\n'
        f"not_before = {(now - timedelta(days=1)).isoformat()}\nnot_after = {(now + timedelta(days=1)).isoformat()}\n"
    )


@dataclass(frozen=True)
class Parties:
    """Who signs, who is trusted for what, and who receives."""

    device: AgeIdentity = field(default_factory=AgeIdentity.generate)
    own: SigningKey = field(default_factory=SigningKey.generate)
    by_role: dict[Role, SigningKey] = field(default_factory=lambda: {role: SigningKey.generate() for role in Role})
    early: SigningKey = field(default_factory=SigningKey.generate)
    late: SigningKey = field(default_factory=SigningKey.generate)
    stranger: SigningKey = field(default_factory=SigningKey.generate)

    @property
    def trust(self) -> TrustStore:
        """One key for each role, two trainers whose time is another, and the appliance's own key as a trainer's."""
        keys = [trusted(key, role) for role, key in self.by_role.items()]
        keys += [
            trusted(self.early, Role.TRAIN, begins=timedelta(hours=1), ends=timedelta(days=9)),
            trusted(self.late, Role.TRAIN, begins=timedelta(days=-9), ends=timedelta(0)),
            trusted(self.own, Role.TRAIN),
        ]
        return TrustStore({key.fingerprint: key for key in keys})


def picture(number: int) -> bytes:
    """Stands for a JPEG; nothing here looks into it. Of various lengths, one of them whole blocks."""
    return b"\xff\xd8\xff" + b"picture %6d" % number + bytes([number % 251]) * (498 + 700 * (number % 4))


def entry(number: int, pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """What a manifest says about one reference."""
    return {
        "reference_id": f"REF-{number:05}",
        "label": f"Hush {number}",
        "category": "suspect",
        "legal_basis": "a warrant",
        "response_code": "observe",
        "requester": "Desk 4",
        "expires_at": "2036-06-01T12:00:00Z",
        "review_on": "2036-06-01",
        "born_on": "1990-01-31",
        "why_here": "seen nearby",
        "under_18_necessity": None,
        "under_18_countersigned_by": None,
        "approved_by": None,
        "is_bluelist": False,
        "pictures": pictures,
    }


def named(number: int, content: bytes) -> dict[str, Any]:
    """What a manifest says about one picture; numbers begin with 1."""
    return {
        "name": f"pictures/{number:06}.jpg",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "type": "jpeg",
        "source": "custody",
        "taken_on": "2024-05-31",
    }


@dataclass
class Draft:
    """A bundle that is not packed yet."""

    manifest: dict[str, Any]
    pictures: dict[str, bytes]
    signer: SigningKey

    @classmethod
    def of(cls, parties: Parties, per_entry: tuple[int, ...] = (2, 1, 1), *, extracted_at: datetime = NOW) -> "Draft":
        """A sound one in training, with that many pictures for each entry."""
        pictures: dict[str, bytes] = {}
        entries = []
        for number, count in enumerate(per_entry, start=1):
            said = [named(len(pictures) + 1 + place, picture(len(pictures) + 1 + place)) for place in range(count)]
            pictures.update({one["name"]: picture(len(pictures) + 1 + place) for place, one in enumerate(said)})
            entries.append(entry(number, said))
        manifest = {
            "schema": "lfr.watchlist/1",
            "mode": "training",
            "issuer": "Anytown watchlist desk",
            "devices": ["anytown/van-0", DEVICE],
            "list_id": "list-7",
            "extracted_at": (extracted_at - timedelta(hours=2)).isoformat(),
            "entries": entries,
        }
        return cls(manifest, pictures, parties.by_role[Role.TRAIN])

    def replace_picture(self, name: str, content: bytes) -> None:
        """Another picture in that place, as the manifest says it."""
        self.pictures[name] = content
        for one in self.manifest["entries"]:
            for said in one["pictures"]:
                if said["name"] == name:
                    said.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def members(self) -> dict[str, bytes]:
        """What is packed, in order; signed as it stands now."""
        manifest = json.dumps(self.manifest).encode()
        return self.signed(manifest)

    def signed(self, manifest: bytes) -> dict[str, bytes]:
        """The same with other bytes as the manifest."""
        return {"manifest.json": manifest, "manifest.sig": self.signer.sign(manifest), **self.pictures}

    def plain(self) -> bytes:
        return archive(self.members())


def encrypted(plain: bytes, *recipients: AgeRecipient) -> bytes:
    out = io.BytesIO()
    encrypt(io.BytesIO(plain), out, recipients)
    return out.getvalue()


def _without_end(draft: Draft) -> bytes:
    return draft.plain()[: -len(END)]


def _in_order(draft: Draft, order: list[str]) -> bytes:
    members = draft.members()
    return archive({name: members[name] for name in order})


def _with_members(draft: Draft, place: int, untrusted_member: bytes) -> bytes:
    """One more member at a place counted from 0; -1 is after the last."""
    packed = [member(name, content) for name, content in draft.members().items()]
    packed.insert(len(packed) if place < 0 else place, untrusted_member)
    return b"".join(packed) + END


def _with_first_picture(draft: Draft, content: bytes) -> bytes:
    members = draft.members()
    members["pictures/000001.jpg"] = content
    return archive(members)


def _with_head_of_first_picture(draft: Draft, untrusted_head: bytes) -> bytes:
    packed = member("pictures/000001.jpg", draft.pictures["pictures/000001.jpg"])
    return draft.plain().replace(packed, untrusted_head + packed[512:])


def _with_signature(draft: Draft, signature: bytes) -> bytes:
    return archive({**draft.members(), "manifest.sig": signature})


FIRST = "pictures/000001.jpg"
EXTRA = member("pictures/000009.jpg", b"extra")
ORDER = ["manifest.json", "manifest.sig", *(f"pictures/{number:06}.jpg" for number in range(1, 5))]

ARCHIVE_DEFECTS: dict[str, tuple[str, Callable[[Draft], bytes]]] = {
    "empty-archive": ("member-order", lambda _: END),
    "no-archive": ("archive-cut", lambda _: b""),
    "zip": ("archive-header", lambda _: b"PK\3\4" + bytes(2_000)),
    "no-end": ("archive-cut", _without_end),
    "half-an-end": ("archive-cut", lambda draft: draft.plain()[:-512]),
    "signature-before-manifest": (
        "member-order",
        lambda draft: _in_order(draft, [ORDER[1], ORDER[0], *ORDER[2:]]),
    ),
    "picture-before-signature": ("member-order", lambda draft: _in_order(draft, [ORDER[0], ORDER[2], ORDER[1]])),
    "pictures-exchanged": (
        "member-order",
        lambda draft: _in_order(draft, [*ORDER[:2], ORDER[3], ORDER[2], *ORDER[4:]]),
    ),
    "no-signature": ("member-order", lambda draft: _in_order(draft, [ORDER[0], *ORDER[2:]])),
    "manifest-alone": ("member-order", lambda draft: _in_order(draft, ORDER[:1])),
    "first-picture-missing": ("member-order", lambda draft: _in_order(draft, [*ORDER[:2], *ORDER[3:]])),
    "last-picture-missing": ("member-order", lambda draft: _in_order(draft, ORDER[:-1])),
    "extra-member-first": ("member-order", lambda draft: _with_members(draft, 0, EXTRA)),
    "extra-member-between": ("member-order", lambda draft: _with_members(draft, 3, EXTRA)),
    "extra-member-last": ("member-order", lambda draft: _with_members(draft, -1, EXTRA)),
    "manifest-twice": ("member-order", lambda draft: _with_members(draft, 1, member("manifest.json", b"{}"))),
    "picture-twice": ("member-order", lambda draft: _with_members(draft, 3, member(FIRST, draft.pictures[FIRST]))),
    "huge-extra-member": ("member-order", lambda draft: _with_members(draft, -1, head(b"x", 8**11 - 1))),
    "picture-longer": ("picture-size", lambda draft: _with_first_picture(draft, draft.pictures[FIRST] + b"x")),
    "picture-shorter": ("picture-size", lambda draft: _with_first_picture(draft, draft.pictures[FIRST][:-1])),
    "picture-empty": ("picture-size", lambda draft: _with_first_picture(draft, b"")),
    "picture-changed": ("picture-digest", lambda draft: _with_first_picture(draft, draft.pictures[FIRST][:-1] + b"x")),
    "signature-of-63-bytes": ("signature-size", lambda draft: _with_signature(draft, bytes(63))),
    "signature-of-65-bytes": ("signature-size", lambda draft: _with_signature(draft, bytes(65))),
    "signature-in-hex": ("signature-size", lambda draft: _with_signature(draft, b"0" * 128)),
    "signature-of-zeros": ("issuer-unknown", lambda draft: _with_signature(draft, bytes(64))),
    "manifest-changed-after-signing": (
        "issuer-unknown",
        lambda draft: draft.plain().replace(b'"training"', b'"trainIng"'),
    ),
    "symbolic-link": ("archive-kind", lambda draft: _with_members(draft, 2, head(b"a", 0, kind=b"2", link=b"/etc"))),
    "hard-link": ("archive-kind", lambda draft: _with_members(draft, 2, head(b"a", 0, kind=b"1", link=FIRST.encode()))),
    "folder": ("archive-kind", lambda draft: _with_members(draft, 2, head(b"pictures/", 0, kind=b"5"))),
    "device": ("archive-kind", lambda draft: _with_members(draft, 2, head(b"sda", 0, kind=b"4"))),
    "pax-header": (
        "archive-kind",
        lambda draft: _with_members(draft, 2, head(b"x", 13, kind=b"x") + filled(b"13 path=/etc\n")),
    ),
    "global-pax-header": (
        "archive-kind",
        lambda draft: _with_members(draft, 0, head(b"g", 13, kind=b"g") + filled(b"13 path=/etc\n")),
    ),
    "gnu-long-name": (
        "archive-kind",
        lambda draft: _with_members(draft, 2, head(b"././@LongLink", 200, kind=b"L") + filled(b"a" * 199 + b"\0")),
    ),
    "absolute-name": ("archive-name", lambda draft: _with_members(draft, 2, head(b"/etc/passwd", 0))),
    "climbing-name": ("archive-name", lambda draft: _with_members(draft, 2, head(b"../../passwd", 0))),
    "dotted-names": ("archive-name", lambda draft: _with_members(draft, 0, head(b"./manifest.json", 0))),
    "huge-picture": ("archive-size", lambda draft: _with_head_of_first_picture(draft, head(FIRST.encode(), 8**11 - 1))),
    "size-in-base-256": (
        "archive-size",
        lambda draft: _with_head_of_first_picture(
            draft, head(FIRST.encode(), 0, size_field=b"\x80" + len(draft.pictures[FIRST]).to_bytes(11, "big"))
        ),
    ),
    "negative-size": (
        "archive-size",
        lambda draft: _with_head_of_first_picture(draft, head(FIRST.encode(), 0, size_field=b"\xff" * 12)),
    ),
    "trailing-byte": ("archive-trailing", lambda draft: draft.plain() + bytes(511) + b"x"),
    "second-archive": ("archive-trailing", lambda draft: draft.plain() + draft.plain()),
    "second-archive-after-a-record": ("archive-trailing", lambda draft: draft.plain() + bytes(10_240) + draft.plain()),
}
"""What is wrong, the reason that is given, and how the archive is made from a sound draft."""
