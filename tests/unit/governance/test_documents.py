"""Signed documents: what is read, what is refused, and whose signature counts."""

import base64
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from edge_lfr.governance.documents import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_FAULTS,
    MAX_ITEMS,
    MAX_SIGNATURES,
    DocumentRefusal,
    DocumentRefusedError,
    Kind,
    read_document,
    read_envelope,
    sign_document,
    signers,
    verified_by,
)
from edge_lfr.governance.strict_json import MAX_NAMES
from edge_lfr.governance.trust import Role, SigningKey, TrustStore
from simulators.authorities import Force

KEY = SigningKey.generate()


class Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    number: float = 0.5


WIRE = sign_document(Kind.LEDGER_HEAD, Note(text="one"), KEY)


def read(untrusted: bytes) -> Note:
    document = read_document(untrusted, Kind.LEDGER_HEAD, Note)
    document.verify_with(KEY.public)
    return document.content


def refusal_of(untrusted: bytes) -> DocumentRefusal:
    with pytest.raises(DocumentRefusedError) as caught:
        read(untrusted)
    assert caught.value.advice
    return caught.value.refusal


def rewritten(**changes: Any) -> bytes:
    return json.dumps(json.loads(WIRE) | changes).encode()


class TestForm:
    """What is read at all."""

    def test_what_was_signed_is_read(self) -> None:
        """Content in, the same content out, and the key that signed it verifies it."""
        assert Note(text="one") == read(WIRE)

    def test_the_signature_is_over_schema_kind_and_canonical_content(self) -> None:
        """Anybody can check a document with the public key, these bytes and a tool of their own."""
        signature = base64.b64decode(json.loads(WIRE)["signatures"][0]["signature"])
        KEY.public.verify(signature, b'lfr.document/1\nledger-head\n{"number":0.5,"text":"one"}')

    def test_spaces_and_order_do_not_matter(self) -> None:
        """A file that an editor indented is still the file that was signed."""
        document = read_document(WIRE, Kind.LEDGER_HEAD, Note)
        assert document.wire(indent=2) != WIRE
        assert Note(text="one") == read(document.wire(indent=2))
        assert document.digest == read_envelope(document.wire(indent=2), Kind.LEDGER_HEAD).digest

    def test_size(self) -> None:
        """Bounded before it is read: one byte more is refused."""
        assert Note(text="one") == read(WIRE.ljust(MAX_DOCUMENT_BYTES))
        assert DocumentRefusal.TOO_LARGE is refusal_of(WIRE.ljust(MAX_DOCUMENT_BYTES + 1))

    @pytest.mark.parametrize(
        "untrusted",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff",
            WIRE[:-3],
            WIRE + b"{}",
            b"[" * 100_000,
            b'{"a":' * 20_000,
            WIRE.replace(b"0.5", b"NaN"),
            WIRE.replace(b"0.5", b"Infinity"),
            WIRE.replace(b"0.5", b"1e999"),
            WIRE.replace(b"0.5", b"9" * 5_000),
            WIRE.replace(b'"text"', b'"number": 1, "text"'),
            WIRE.replace(b'"kind"', b'"kind": "authority", "kind"'),
            WIRE.replace(b"lfr.document/1", b"lfr.document/2"),
            rewritten(more=1),
            rewritten(content=[]),
            rewritten(content={"text": json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)}),
            rewritten(content={"text": [0] * (MAX_ITEMS + 1)}),
            rewritten(content=dict.fromkeys(map(str, range(MAX_NAMES + 1)))),
            rewritten(signatures=None),
            rewritten(signatures=[{"key": "AB" * 32, "signature": ""}]),
            rewritten(signatures=[{"key": "ab" * 32, "signature": "x"}]),
            rewritten(signatures=[{"key": "ab" * 32, "signature": base64.b64encode(bytes(63)).decode()}]),
        ],
    )
    def test_what_is_no_strict_document_is_malformed(self, untrusted: bytes) -> None:
        """Two readers must never find two meanings in one file."""
        assert DocumentRefusal.MALFORMED is refusal_of(untrusted)

    def test_a_signature_has_one_spelling(self) -> None:
        """Base64 with other unused bits is another text for the same signature, and refused."""
        text = json.loads(WIRE)["signatures"][0]["signature"]
        assert text.endswith("==")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        twin = text[:-3] + letters[letters.index(text[-3]) ^ 1] + "=="
        assert base64.b64decode(text) == base64.b64decode(twin)
        assert DocumentRefusal.MALFORMED is refusal_of(WIRE.replace(text.encode(), twin.encode()))

    def test_kind(self) -> None:
        """A receipt is no head of a ledger; and the kind is signed."""
        assert DocumentRefusal.WRONG_KIND is refusal_of(sign_document(Kind.LOAD_RECEIPT, Note(text="one"), KEY))
        other = sign_document(Kind.LOAD_RECEIPT, Note(text="one"), KEY).replace(b"load-receipt", b"ledger-head")
        assert DocumentRefusal.BAD_SIGNATURE is refusal_of(other)

    def test_content(self) -> None:
        """A field that should not be there is named; what stands there is not repeated."""
        with pytest.raises(DocumentRefusedError) as caught:
            read(sign_document(Kind.LEDGER_HEAD, TextAndMore(text="hush"), KEY))
        assert DocumentRefusal.WRONG_CONTENT is caught.value.refusal
        assert ["more\\x1b"] == [fault.field.strip("'") for fault in caught.value.faults]
        assert "hush" not in caught.value.diagnostics()

    def test_faults_are_told_within_bounds(self) -> None:
        """A file full of foreign names makes no page of them, and no long work."""
        names = [f"{number:02}{'x' * 100}" for number in range(MAX_NAMES - 1)]
        for untrusted in (
            rewritten(content={"text": "one", **dict.fromkeys(names)}),
            rewritten(**dict.fromkeys(names[: MAX_NAMES - 4])),
            rewritten(**dict.fromkeys(map(str, range(20_000)))),
            rewritten(signatures=[0] * 100_000),
        ):
            with pytest.raises(DocumentRefusedError) as caught:
                read(untrusted)
            assert len(caught.value.faults) <= MAX_FAULTS
            assert len(caught.value.diagnostics()) < 4_000

    def test_a_key_signs_once(self) -> None:
        """Neither by adding a signature nor in a file that somebody wrote."""
        document = read_envelope(WIRE, Kind.LEDGER_HEAD)
        with pytest.raises(DocumentRefusedError) as caught:
            document.with_signature(KEY)
        assert DocumentRefusal.DOUBLED_KEY is caught.value.refusal
        signatures = json.loads(WIRE)["signatures"]
        assert DocumentRefusal.DOUBLED_KEY is refusal_of(rewritten(signatures=signatures * 2))

    def test_signatures_are_counted(self) -> None:
        """Eight fit, a ninth does not."""
        document = read_envelope(WIRE, Kind.LEDGER_HEAD)
        for _ in range(MAX_SIGNATURES - 1):
            document = document.with_signature(SigningKey.generate())
        assert Note(text="one") == read(document.wire())
        with pytest.raises(DocumentRefusedError) as caught:
            document.with_signature(SigningKey.generate())
        assert DocumentRefusal.TOO_MANY_SIGNATURES is caught.value.refusal
        signatures = [{"key": f"{number:064x}", "signature": "A" * 86 + "=="} for number in range(MAX_SIGNATURES + 1)]
        assert DocumentRefusal.TOO_MANY_SIGNATURES is refusal_of(rewritten(signatures=signatures))

    def test_another_key_does_not_verify_it(self) -> None:
        """Nor does nobody's."""
        document = read_document(WIRE, Kind.LEDGER_HEAD, Note)
        with pytest.raises(DocumentRefusedError, match="unknown-key"):
            document.verify_with(SigningKey.generate().public)
        assert DocumentRefusal.UNSIGNED is refusal_of(rewritten(signatures=[]))

    @given(st.integers(0, len(WIRE) - 1), st.binary(max_size=3))
    def test_a_changed_file_is_refused_or_says_the_same(self, place: int, piece: bytes) -> None:
        """Whatever is written over it: the same content is read, or a refusal with a reason; never another error."""
        with suppress(DocumentRefusedError):
            assert Note(text="one") == read(WIRE[:place] + piece + WIRE[place + len(piece) :])


class TextAndMore(Note):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    def model_dump(self, **_options: Any) -> dict[str, Any]:
        """Names as a stranger may choose them."""
        return {"text": self.text, "more\x1b": 1}


class TestSigners:
    """Each numbered step has a signature that fails there."""

    @pytest.fixture
    def force(self, tmp_path: Path) -> Force:
        return Force(tmp_path)

    def verify(self, force: Force, *keys: SigningKey, trust: TrustStore | None = None, at_s: float = 0.0) -> str:
        document = read_envelope(force.signed(force.content(), *keys), Kind.AUTHORITY)
        return verified_by(
            document,
            force.trust if trust is None else trust,
            Role.AUTHORISE,
            force.now + timedelta(seconds=at_s),
            device_fingerprint=force.appliance.fingerprint,
        ).name

    def refusal(self, force: Force, *keys: SigningKey, trust: TrustStore | None = None, at_s: float = 0.0) -> str:
        with pytest.raises(DocumentRefusedError) as caught:
            self.verify(force, *keys, trust=trust, at_s=at_s)
        return caught.value.refusal

    def test_an_officer_signs(self, force: Force) -> None:
        """The trusted key comes back."""
        assert "officer" == self.verify(force)

    def test_the_first_that_counts_is_found(self, force: Force) -> None:
        """A stranger's signature beside it changes nothing; several officers are found in order."""
        assert "officer" == self.verify(force, SigningKey.generate(), force.officer, force.second)
        document = read_envelope(force.signed(force.content(), force.second, force.officer), Kind.AUTHORITY)
        found = signers(document, force.trust, (Role.AUTHORISE,), force.now, device_fingerprint=None)
        assert ["second", "officer"] == [key.name for key in found]

    def test_1_device_key(self, force: Force) -> None:
        """An appliance authorises nothing, also where somebody put its key into the trust folder."""
        trust = force.trust_of(force.appliance, Role.AUTHORISE)
        assert DocumentRefusal.DEVICE_KEY == self.refusal(force, force.appliance, trust=trust)

    def test_2_unknown_key(self, force: Force) -> None:
        """A stranger's."""
        assert DocumentRefusal.UNKNOWN_KEY == self.refusal(force, SigningKey.generate())

    def test_3_bad_signature(self, force: Force) -> None:
        """Of another text by the same officer."""
        wire = force.signed(force.content()).replace(b"Market Square", b"Station Road")
        with pytest.raises(DocumentRefusedError) as caught:
            verified_by(
                read_envelope(wire, Kind.AUTHORITY), force.trust, Role.AUTHORISE, force.now, device_fingerprint=None
            )
        assert DocumentRefusal.BAD_SIGNATURE is caught.value.refusal

    def test_4_role(self, force: Force) -> None:
        """Who revokes or issues does not authorise."""
        assert DocumentRefusal.WRONG_ROLE == self.refusal(force, force.revoker, force.issuer)

    def test_5_time(self, force: Force) -> None:
        """From the key's beginning, included, to its end, excluded."""
        assert DocumentRefusal.KEY_NOT_VALID == self.refusal(force, at_s=-1)
        assert "officer" == self.verify(force, at_s=365 * 86_400 - 1)
        assert DocumentRefusal.KEY_NOT_VALID == self.refusal(force, at_s=365 * 86_400)
