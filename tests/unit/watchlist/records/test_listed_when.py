"""Was somebody on a list that day? The answer after the wipe, from manifests and certificates alone."""

import hashlib
import io
import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.governance.age_files import AgeIdentity, encrypt
from edge_lfr.governance.device_signer import read_fingerprint
from edge_lfr.governance.documents import Kind, sign_document
from edge_lfr.governance.ledger.head import public_text
from edge_lfr.governance.trust import SigningKey, shown_fingerprint
from edge_lfr.watchlist.records.listed_when import (
    MAX_FILE_BYTES,
    UNEXPECTED_KEY,
    UNPROVED_CERTIFICATE,
    SpanEnd,
    was_listed,
)
from edge_lfr.watchlist.records.pseudonyms import PseudonymousManifest, pseudonym
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate

KEY = AgeIdentity.generate()
VAN, STRANGER = SigningKey.generate(), SigningKey.generate()
DEVICE = "anytown/van-1/operational"
SALT = bytes(range(32))
DAY = date(2026, 6, 2)
MORNING = datetime(2026, 6, 1, 8, tzinfo=UTC)


def manifest(
    folder: Path,
    number: int,
    *ids: str,
    at: datetime,
    end: datetime | None = None,
    device: str = DEVICE,
    signing: SigningKey = VAN,
) -> Path:
    """The manifest of a list of these references, as an appliance would have written it."""
    lines = "".join(sorted(f"{pseudonym(SALT, one)}\n" for one in ids)).encode()
    content = PseudonymousManifest(
        device=device,
        list_id=f"{number:016x}",
        list_digest=f"{number:064x}",
        bundle=None,
        live_from=at,
        must_end_at=end,
        salt=SALT.hex(),
        references=len(ids),
        references_sha256=hashlib.sha256(lines).hexdigest(),
        public_key=public_text(signing.public),
    )
    out = io.BytesIO()
    plain = sign_document(Kind.LISTED_MANIFEST, content, signing) + lines
    encrypt(io.BytesIO(plain), out, [KEY.recipient])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"list-{number}-{device.partition('/')[0]}-{signing.fingerprint[:4]}.age"
    path.write_bytes(out.getvalue())
    return path


def certificate(
    folder: Path,
    number: int,
    *,
    at: datetime,
    is_named: bool = True,
    device: str = DEVICE,
    signing: SigningKey = VAN,
) -> Path:
    """What the wipe of that list left: with its id, or with the digest that only a list which opened gives."""
    content = WipeCertificate(
        device=device,
        cause=WipeCause.DEAD_MAN,
        by="timer",
        begun_at=at,
        list_digest=None if is_named else f"{number:064x}",
        list_id=f"{number:016x}" if is_named else None,
        references=0,
        templates=0,
        lists=1,
        keys=1,
        destroyed_in_s=0.1,
        answering_in_s=None,
        is_process_replaced=False,
        is_clean=None,
        proof=None,
        software="1",
    )
    path = folder / "certificates" / f"wipe-{number}-{at:%H%M}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sign_document(Kind.WIPE_CERTIFICATE, content, signing))
    return path


def says(folder: Path, reference_id: str, on: date) -> bool:
    answers, broken = was_listed(reference_id, on, [folder], KEY)
    assert () == broken
    return any(answer.is_yes for answer in answers)


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2026, 5, 31), False), (date(2026, 6, 1), True), (date(2026, 6, 2), True), (date(2026, 6, 3), False)],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_list_was_searched_until_its_wipe(tmp_path: Path, day: date, *, expected: bool, is_named: bool) -> None:
    """From its first day to the certificate's, both whole."""
    manifest(tmp_path, 1, "A", "B", at=MORNING)
    certificate(tmp_path, 1, at=MORNING + timedelta(hours=20), is_named=is_named)
    assert expected is says(tmp_path, "A", day)
    assert not says(tmp_path, "C", day)


def test_a_reference_that_was_removed_in_between_is_not_on_the_second_list(tmp_path: Path) -> None:
    """The removal made a new list: its manifest is the end of the one before."""
    manifest(tmp_path, 1, "A", "B", at=MORNING)
    manifest(tmp_path, 2, "B", at=MORNING + timedelta(hours=1))
    certificate(tmp_path, 2, at=MORNING + timedelta(days=2))
    assert [True, False] == [says(tmp_path, "A", day) for day in (MORNING.date(), DAY)]
    assert [True, True] == [says(tmp_path, "B", day) for day in (MORNING.date(), DAY)]
    first, second = was_listed("A", DAY, [tmp_path], KEY)[0]
    assert (SpanEnd.NEXT_LIST, MORNING + timedelta(hours=1)) == (first.ended_by, first.until)
    assert SpanEnd.CERTIFICATE == second.ended_by
    assert first.is_listed
    assert not first.was_live


def test_a_list_ends_by_itself_where_nobody_certified_it(tmp_path: Path) -> None:
    """Nothing opened it after that."""
    manifest(tmp_path, 1, "A", at=MORNING, end=MORNING + timedelta(hours=10))
    assert [True, False] == [says(tmp_path, "A", day) for day in (MORNING.date(), DAY)]
    assert SpanEnd.OWN_END == was_listed("A", DAY, [tmp_path], KEY)[0][0].ended_by


def test_where_no_end_is_known_the_answer_stays_yes(tmp_path: Path) -> None:
    """A missing certificate does not say that nobody was searched for."""
    manifest(tmp_path, 1, "A", at=MORNING)
    assert says(tmp_path, "A", date(2036, 6, 1))
    assert not says(tmp_path, "A", date(2026, 5, 31))
    assert SpanEnd.UNKNOWN == was_listed("A", DAY, [tmp_path], KEY)[0][0].ended_by


def test_other_lists_and_other_appliances_end_nothing(tmp_path: Path) -> None:
    """A certificate of another list, or of another device with the same list, and another device's next list."""
    manifest(tmp_path, 1, "A", at=MORNING)
    certificate(tmp_path, 7, at=MORNING)
    certificate(tmp_path, 1, at=MORNING + timedelta(hours=1), device="anytown/van-2/operational")
    manifest(tmp_path, 2, "B", at=MORNING + timedelta(hours=2), device="othertown/van-1/operational")
    answers, _ = was_listed("A", DAY, [tmp_path], KEY)
    assert [SpanEnd.UNKNOWN] * 2 == [answer.ended_by for answer in answers]


def test_the_same_manifest_twice_is_one_answer(tmp_path: Path) -> None:
    """As from two sticks, and named beside its folder."""
    path = manifest(tmp_path / "one", 1, "A", at=MORNING)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    answers, _ = was_listed("A", DAY, [tmp_path / "one", path, tmp_path / "two"], KEY)
    assert 1 == len(answers)


def test_what_somebody_else_signed_ends_no_list(tmp_path: Path) -> None:
    """Neither a certificate nor a next list of another key makes a span shorter; the certificate is told of."""
    manifest(tmp_path, 1, "A", at=MORNING)
    path = certificate(tmp_path, 1, at=MORNING + timedelta(hours=1), signing=STRANGER)
    manifest(tmp_path, 2, "B", at=MORNING + timedelta(hours=2), signing=STRANGER)
    answers, broken = was_listed("A", DAY, [tmp_path], KEY)
    assert [SpanEnd.UNKNOWN] * 2 == [answer.ended_by for answer in answers]
    assert [True, False] == [answer.is_yes for answer in answers]
    assert [(path, UNPROVED_CERTIFICATE)] == [(one.path, one.code) for one in broken]


def test_a_certificate_with_a_changed_time_ends_no_list(tmp_path: Path) -> None:
    """The signature is over the moment, too."""
    manifest(tmp_path, 1, "A", at=MORNING)
    path = certificate(tmp_path, 1, at=MORNING + timedelta(days=3))
    path.write_bytes(path.read_bytes().replace(b"2026-06-04", b"2026-06-01"))
    answers, broken = was_listed("A", DAY, [tmp_path], KEY)
    assert [True] == [answer.is_yes for answer in answers]
    assert [UNPROVED_CERTIFICATE] == [one.code for one in broken]


@pytest.mark.parametrize("names", ["first", "last"])
def test_a_twin_takes_the_place_of_no_manifest(tmp_path: Path, names: str) -> None:
    """Both stay, whichever is read first; any yes counts, and the contest is told."""
    honest = manifest(tmp_path, 1, "A", at=MORNING)
    forged = manifest(tmp_path, 1, "B", at=MORNING, signing=STRANGER)
    forged.rename(tmp_path / ("aaa.age" if names == "first" else "zzz.age"))
    answers, broken = was_listed("A", MORNING.date(), [tmp_path], KEY)
    assert () == broken
    assert {honest: True} == {answer.path: True for answer in answers if answer.is_yes}
    assert [True, True] == [answer.is_contested for answer in answers]


def test_only_what_the_named_appliances_signed_counts(tmp_path: Path) -> None:
    """By the fingerprint in either form; what another key signed is told of and says neither yes nor no."""
    manifest(tmp_path, 1, "A", at=MORNING)
    forged = manifest(tmp_path, 2, "C", at=MORNING + timedelta(minutes=1), signing=STRANGER)
    for shown in (VAN.fingerprint, shown_fingerprint(VAN.fingerprint)):
        for reference_id, expected in (("A", True), ("C", False)):
            answers, broken = was_listed(
                reference_id, MORNING.date(), [tmp_path], KEY, {read_fingerprint(shown), "0" * 64}
            )
            assert [(VAN.fingerprint, expected)] == [(answer.signed_by, answer.is_yes) for answer in answers]
            assert [(forged, UNEXPECTED_KEY)] == [(one.path, one.code) for one in broken]


def test_what_cannot_be_read_is_named_and_hides_nothing(tmp_path: Path) -> None:
    """Junk, a file for another key, a pipe, a huge file, a folder, a missing one: the rest still answers."""
    good = manifest(tmp_path, 1, "A", at=MORNING)
    (tmp_path / "junk.age").write_bytes(b"junk")
    out = io.BytesIO()
    encrypt(io.BytesIO(b"{}"), out, [AgeIdentity.generate().recipient])
    (tmp_path / "other.age").write_bytes(out.getvalue())
    os.mkfifo(tmp_path / "pipe.age")
    with (tmp_path / "huge.age").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (tmp_path / "folder.age").mkdir()
    (tmp_path / "link.age").symlink_to(tmp_path / "nowhere")
    (tmp_path / "cut.age").write_bytes(good.read_bytes()[:-1])
    answers, broken = was_listed("A", DAY, [tmp_path, tmp_path / "missing.age"], KEY)
    assert [True] == [answer.is_yes for answer in answers]
    assert {"junk", "other", "pipe", "huge", "folder", "link", "cut", "missing"} == {one.path.stem for one in broken}


def test_a_broken_certificate_is_named_and_another_document_is_passed_over(tmp_path: Path) -> None:
    """A receipt may lie there; junk may not, since it may be the end of a list."""
    manifest(tmp_path, 1, "A", at=MORNING)
    whole = json.loads(certificate(tmp_path, 1, at=MORNING).read_bytes())
    (tmp_path / "certificates/receipt.json").write_text(json.dumps({**whole, "kind": "load-receipt"}))
    (tmp_path / "certificates/junk.json").write_text("{")
    (tmp_path / "certificates/wide.json").write_text(json.dumps({**whole, "content": {"schema": "?"}}))
    _, broken = was_listed("A", DAY, [tmp_path], KEY)
    assert ["junk", "wide"] == sorted(one.path.stem for one in broken)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_ends_of_the_calendar_are_times(tmp_path: Path, at: str) -> None:
    """Anybody can encrypt a file to the officer."""
    manifest(tmp_path, 1, "A", at=datetime.fromisoformat(at), end=datetime.fromisoformat(at))
    for day in (date.min, DAY, date.max):
        was_listed("A", day, [tmp_path], KEY)
