"""Whose signatures count, and which signed messages are believed."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import BaseModel, ConfigDict

from edge_lfr.errors import KeyUnavailableError, TrustError
from edge_lfr.governance.signed import (
    CLOCK_TOLERANCE,
    MAX_LIFETIME,
    SIGNED_BYTES,
    MessageRefusedError,
    Refusal,
    sign,
    verify,
)
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key
from edge_lfr.terms import Rank
from simulators.clock import StoppedClock


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    alert_id: str


class Memory:
    """Ids of one test."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        assert expires_at.tzinfo is not None
        if message_id in self.ids:
            return Refusal.SEEN
        self.ids.add(message_id)
        return None


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust.d"


@pytest.fixture
def key(tmp_path: Path, folder: Path, clock: StoppedClock) -> SigningKey:
    return create_key(Role.CONTROL, tmp_path / "control.key", folder / "control.toml", name='the "desk"', clock=clock)


def wire_of(key: SigningKey, clock: StoppedClock, **changes: object) -> bytes:
    content: dict[str, object] = {
        "kind": "ack",
        "device": "f/d/training",
        "body": Body(alert_id="a"),
        "issued_at": clock.utc_now(),
        "lifetime": timedelta(minutes=1),
    }
    return sign(key, **(content | changes))  # type: ignore[arg-type]  # a test changes one of them at a time


def believe(
    wire: bytes,
    folder: Path,
    clock: StoppedClock,
    memory: Memory | None = None,
    *,
    role: Role = Role.CONTROL,
    own: str | None = None,
) -> Body:
    return verify(
        wire,
        trust=TrustStore.load(folder),
        role=role,
        kind="ack",
        device="f/d/training",
        device_fingerprint=own,
        body=Body,
        now=clock.utc_now(),
        seen=Memory() if memory is None else memory,
    )


def refusal_of(wire: bytes, folder: Path, clock: StoppedClock, memory: Memory | None = None) -> Refusal:
    with pytest.raises(MessageRefusedError) as caught:
        believe(wire, folder, clock, memory)
    return caught.value.refusal


def as_nobody(call: Callable[[], object]) -> str:
    """What a `TrustError` says to a user without rights, in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(12345)
        try:
            call()
        except TrustError as error:
            os.write(writer, error.message.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


class TestSigned:
    """Each numbered step of `verify` has a message that fails there."""

    def test_a_good_message_is_believed(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """Body in, the same body out."""
        assert Body(alert_id="a") == believe(wire_of(key, clock), folder, clock)

    def test_1_size(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """Before it is parsed."""
        wire = wire_of(key, clock)
        assert Refusal.TOO_LARGE is refusal_of(wire + b" " * SIGNED_BYTES, folder, clock)

    @pytest.mark.parametrize(
        "untrusted",
        [b"", b"{}", b"null", b"\xff", b"[" * 4000, b'{"a":' * 800, b'{"schema":"lfr.signed/2"}'],
    )
    def test_2_envelope(self, untrusted: bytes, folder: Path, clock: StoppedClock) -> None:
        """What is no envelope is malformed, however it is broken."""
        assert Refusal.MALFORMED is refusal_of(untrusted, folder, clock)

    def test_3_unknown_key(self, key: SigningKey, tmp_path: Path, clock: StoppedClock) -> None:
        """Nobody is trusted where there is no folder."""
        assert Refusal.UNKNOWN_KEY is refusal_of(wire_of(key, clock), tmp_path / "nowhere", clock)

    def test_3_the_appliances_own_key(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """It counts for no role, whatever the trust folder says, and takes no memory."""
        memory = Memory()
        with pytest.raises(MessageRefusedError) as caught:
            believe(wire_of(key, clock), folder, clock, memory, own=key.fingerprint)
        assert (Refusal.DEVICE_KEY, set()) == (caught.value.refusal, memory.ids)

    @pytest.mark.parametrize("field", ["id", "device", "issued_at", "expires_at", "kind", "body"])
    def test_4_signature(self, field: str, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """Every field of the envelope is signed."""
        changed = json.loads(wire_of(key, clock)) | {
            field: {
                "id": "0" * 32,
                "device": "f/other/training",
                "issued_at": "2026-06-01T11:59:59Z",
                "expires_at": "2026-06-01T12:30:00Z",
                "kind": "adjudication",
                "body": {"alert_id": "b"},
            }[field]
        }
        assert Refusal.BAD_SIGNATURE is refusal_of(json.dumps(changed).encode(), folder, clock)

    def test_5_role(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """A control key does not revoke."""
        with pytest.raises(MessageRefusedError) as caught:
            believe(wire_of(key, clock), folder, clock, role=Role.REVOKE)
        assert Refusal.WRONG_ROLE is caught.value.refusal

    def test_6_key_validity(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """A key counts from its beginning to its end."""
        clock.advance(-10)
        assert Refusal.KEY_NOT_VALID is refusal_of(wire_of(key, clock), folder, clock)
        clock.advance(366 * 86_400)
        assert Refusal.KEY_NOT_VALID is refusal_of(wire_of(key, clock), folder, clock)

    def test_7_device(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """Another van's, or the same van's in another mode."""
        assert Refusal.WRONG_DEVICE is refusal_of(wire_of(key, clock, device="f/d/operational"), folder, clock)

    def test_8_kind(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """An adjudication is no acknowledgement, whatever its body says."""
        assert Refusal.WRONG_KIND is refusal_of(wire_of(key, clock, kind="adjudication"), folder, clock)

    def test_9_times(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """Not before it was issued (give or take a clock), not after its end, and never for long."""
        soon = clock.utc_now() + CLOCK_TOLERANCE
        assert Body(alert_id="a") == believe(wire_of(key, clock, issued_at=soon), folder, clock)
        later = soon + timedelta(seconds=1)
        assert Refusal.NOT_YET_VALID is refusal_of(wire_of(key, clock, issued_at=later), folder, clock)
        wire = wire_of(key, clock)
        long = wire_of(key, clock, lifetime=MAX_LIFETIME + timedelta(seconds=1))
        assert Refusal.LIFETIME_TOO_LONG is refusal_of(long, folder, clock)
        clock.advance(60)
        assert Refusal.EXPIRED is refusal_of(wire, folder, clock)

    def test_10_body(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """A trusted signature does not excuse another body."""

        class Other(BaseModel):
            number: int = 1

        assert Refusal.MALFORMED is refusal_of(wire_of(key, clock, body=Other()), folder, clock)

    def test_11_once(self, key: SigningKey, folder: Path, clock: StoppedClock) -> None:
        """And only what would have been believed takes memory."""
        memory = Memory()
        refusal_of(wire_of(key, clock, kind="adjudication"), folder, clock, memory)
        assert set() == memory.ids
        wire = wire_of(key, clock)
        believe(wire, folder, clock, memory)
        assert Refusal.SEEN is refusal_of(wire, folder, clock, memory)


class TestTrustStore:
    """The folder of public keys."""

    def test_a_created_key_can_be_loaded_again(self, key: SigningKey, tmp_path: Path, folder: Path) -> None:
        """Private half for its owner alone, public half for everybody to read."""
        assert key.fingerprint == SigningKey.load(tmp_path / "control.key").fingerprint
        assert 0o600 == (tmp_path / "control.key").stat().st_mode & 0o777
        (trusted,) = TrustStore.load(folder).keys.values()
        assert (key.fingerprint, Role.CONTROL, 'the "desk"') == (trusted.fingerprint, trusted.role, trusted.name)

    def test_nothing_is_overwritten(self, key: SigningKey, tmp_path: Path, folder: Path, clock: StoppedClock) -> None:
        """A second key needs other names."""
        assert key.fingerprint
        with pytest.raises(KeyUnavailableError, match="exists"):
            create_key(Role.CONTROL, tmp_path / "control.key", folder / "other.toml", name="x", clock=clock)
        assert not (folder / "other.toml").exists()

    @pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
    def test_a_file_that_others_may_change_is_refused(self, key: SigningKey, folder: Path, mode: int) -> None:
        """Else they would choose whom we trust."""
        assert key.fingerprint
        (folder / "control.toml").chmod(mode)
        with pytest.raises(TrustError, match="others may change"):
            TrustStore.load(folder)

    def test_a_folder_that_others_may_change_is_refused(self, key: SigningKey, folder: Path) -> None:
        """Else they would add a file."""
        assert key.fingerprint
        folder.chmod(0o777)
        with pytest.raises(TrustError, match="others may change"):
            TrustStore.load(folder)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('role = "control"', 'role = "admin"'),
            ('role = "control"', ""),
            ('role = "control"', 'role = "control"\nextra = 1'),
            ("not_after = ", "not_after = 1 #"),
            ("not_after = ", "not_after = 9999-12-31T23:00:00-05:00 #"),  # there is no such time in UTC
            ("not_before = ", "not_before = 0001-01-01T01:00:00+05:00 #"),
            ('public_key = "', 'public_key = "AA'),
            ('public_key = "', 'public_key = "!'),
            ('role = "control"', "role = "),
        ],
    )
    def test_a_malformed_file_is_an_error_that_names_it(
        self, key: SigningKey, folder: Path, old: str, new: str
    ) -> None:
        """A key that was meant to be trusted is not left out in silence."""
        assert key.fingerprint
        path = folder / "control.toml"
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(TrustError, match=r"control\.toml"):
            TrustStore.load(folder)

    @pytest.mark.parametrize("name", ['\u00c9lise \U0001f600 "quoted"', "Desk 4"])
    def test_a_name_in_any_script_is_read_again(self, tmp_path: Path, clock: StoppedClock, name: str) -> None:
        """What `create_key` writes is TOML, whatever the key's holder is called."""
        create_key(Role.ISSUE, tmp_path / "a.key", tmp_path / "trust" / "a.toml", name=name, clock=clock)
        (trusted,) = TrustStore.load(tmp_path / "trust").keys.values()
        assert name == trusted.name

    @pytest.mark.parametrize("escape", ["\\u001b[2J", "\\n", "\\u202e", "\\u0000"])
    def test_a_name_moves_no_cursor(self, key: SigningKey, folder: Path, escape: str) -> None:
        """Names stand in tables on terminals."""
        assert key.fingerprint
        (path,) = folder.glob("*.toml")
        path.write_text(path.read_text().replace('name = "', f'name = "{escape}'))
        with pytest.raises(TrustError, match="name"):
            TrustStore.load(folder)

    @pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x7fb", "\x1b[2J", "x" * 129, "\udcff"])
    def test_a_name_that_nobody_could_read_makes_no_key(self, tmp_path: Path, clock: StoppedClock, name: str) -> None:
        """What no appliance would take as a trust file is not made; neither half is left behind."""
        with pytest.raises(TrustError, match="name") as caught:
            create_key(Role.ISSUE, tmp_path / "a.key", tmp_path / "a.toml", name=name, clock=clock)
        assert "--name" in caught.value.advice
        assert [] == list(tmp_path.iterdir())

    def test_no_private_half_is_left_without_its_public_one(self, tmp_path: Path, clock: StoppedClock) -> None:
        """Where the trust file exists already it stays as it is, and the command can be repeated with another name."""
        (tmp_path / "a.toml").write_text("somebody's")
        with pytest.raises(KeyUnavailableError, match=r"a\.toml") as caught:
            create_key(Role.ISSUE, tmp_path / "a.key", tmp_path / "a.toml", name="desk", clock=clock)
        assert "does not exist" in caught.value.advice
        assert [(tmp_path / "a.toml", "somebody's")] == [(path, path.read_text()) for path in tmp_path.iterdir()]
        create_key(Role.ISSUE, tmp_path / "a.key", tmp_path / "b.toml", name="desk", clock=clock)

    def test_an_officers_key_carries_a_rank(self, tmp_path: Path, clock: StoppedClock) -> None:
        """If it was made with one; a key that authorises nothing has none, whoever wrote the file."""
        folder = tmp_path / "trust"
        for name, rank in (("one", Rank.SUPERINTENDENT), ("two", None)):
            key_of = tmp_path / f"{name}.key"
            create_key(Role.AUTHORISE, key_of, folder / f"{name}.toml", name=name, clock=clock, rank=rank)
        ranks = {key.name: key.rank for key in TrustStore.load(folder).keys.values()}
        assert {"one": Rank.SUPERINTENDENT, "two": None} == ranks
        with pytest.raises(TrustError, match="rank"):
            create_key(
                Role.REVOKE, tmp_path / "r.key", folder / "r.toml", name="r", clock=clock, rank=Rank.SUPERINTENDENT
            )
        path = folder / "one.toml"
        for old, new in (('role = "authorise"', 'role = "revoke"'), ('rank = "superintendent"', 'rank = "sergeant"')):
            said = path.read_text()
            assert old in said
            path.write_text(said.replace(old, new))
            with pytest.raises(TrustError, match=r"one\.toml"):
                TrustStore.load(folder)
            path.write_text(said)

    @pytest.mark.root
    def test_a_folder_that_cannot_be_listed_is_no_empty_one(self) -> None:
        """Else a user without rights would be shown that nobody is trusted."""
        with TemporaryDirectory() as above:
            Path(above).chmod(0o755)
            folder = Path(above, "trust.d")
            folder.mkdir(mode=0o711)
            assert f"{folder}: cannot be read" in as_nobody(lambda: TrustStore.load(folder))

    def test_one_key_has_one_role(self, key: SigningKey, folder: Path) -> None:
        """The same key in two files is refused."""
        assert key.fingerprint
        second = folder / "second.toml"
        second.write_text((folder / "control.toml").read_text().replace("control", "revoke"))
        second.chmod(0o644)
        with pytest.raises(TrustError, match="two files"):
            TrustStore.load(folder)

    def test_a_signing_key_that_others_may_read_is_refused(self, key: SigningKey, tmp_path: Path) -> None:
        """A private key in everybody's hands signs nothing here."""
        assert key.fingerprint
        (tmp_path / "control.key").chmod(0o640)
        with pytest.raises(KeyUnavailableError, match="others may read"):
            SigningKey.load(tmp_path / "control.key")

    @pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"])
    def test_what_is_no_key_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """A broken or missing file is an error with its path."""
        path = tmp_path / "broken.key"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyUnavailableError, match=r"broken\.key"):
            SigningKey.load(path)
        with pytest.raises(KeyUnavailableError, match=r"absent\.key"):
            SigningKey.load(tmp_path / "absent.key")
