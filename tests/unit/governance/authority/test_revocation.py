"""The end of an authority before its time."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.errors import AuthorityStorageError, RevocationError
from edge_lfr.governance.authority.revocation import (
    FOLDER,
    Revocations,
    TakenRevocation,
    believe_revocation,
    take_revocation,
)
from edge_lfr.governance.documents import DocumentRefusal, DocumentRefusedError
from edge_lfr.governance.trust import Role, SigningKey
from simulators.authorities import DEVICE, Force


@pytest.fixture
def force(tmp_path: Path) -> Force:
    return Force(tmp_path)


def take(force: Force, untrusted: bytes, **options: Any) -> TakenRevocation:
    given = {"trust": force.trust, "device": DEVICE, "device_fingerprint": force.appliance.fingerprint}
    return take_revocation(force.folder, untrusted, now=force.now, **{**given, **options})


def refusal(force: Force, untrusted: bytes, **options: Any) -> DocumentRefusal:
    with pytest.raises(DocumentRefusedError) as caught:
        take(force, untrusted, **options)
    assert Revocations() == Revocations.load(force.folder)
    return caught.value.refusal


class TestTaking:
    """`take_revocation`, step by step."""

    @pytest.mark.parametrize("signer", ["revoker", "officer"])
    def test_who_revokes_or_authorises_is_believed(self, force: Force, signer: str) -> None:
        """And what it says is kept, for its owner alone."""
        taken = take(force, force.revocation(getattr(force, signer)))
        assert (signer, "TS-2026-014") == (taken.signer.name, taken.revocation.authority_id)
        assert (taken.revocation,) == Revocations.load(force.folder).items
        assert 0o600 == taken.path.stat().st_mode & 0o777

    def test_1_document(self, force: Force) -> None:
        """An authority is no revocation, nor is one with a reason of somebody's own."""
        assert DocumentRefusal.WRONG_KIND is refusal(force, force.signed(force.content()))
        other = force.revocation().replace(b'"mistake"', b'"whim"')
        assert DocumentRefusal.WRONG_CONTENT is refusal(force, other)

    def test_2_signature(self, force: Force) -> None:
        """A stranger, an issuer and the appliance itself revoke nothing."""
        assert DocumentRefusal.UNKNOWN_KEY is refusal(force, force.revocation(SigningKey.generate()))
        assert DocumentRefusal.WRONG_ROLE is refusal(force, force.revocation(force.issuer))
        trust = force.trust_of(force.appliance, Role.REVOKE)
        assert DocumentRefusal.DEVICE_KEY is refusal(force, force.revocation(force.appliance), trust=trust)

    @pytest.mark.parametrize(
        ("changes", "is_taken"),
        [({}, True), ({"device": "van-1"}, True), ({"device": "van-2"}, False), ({"force": "otherforce"}, False)],
    )
    def test_3_addressee(self, force: Force, changes: dict[str, Any], is_taken: bool) -> None:  # noqa: FBT001
        """This appliance, or all of its force."""
        wire = force.revocation(**changes)
        if is_taken:
            assert take(force, wire).path.is_file()
        else:
            with pytest.raises(RevocationError, match="not for testshire/van-1"):
                take(force, wire)

    def test_twice_is_once(self, force: Force) -> None:
        """A stick and a message may bring the same."""
        wire = force.revocation()
        take(force, wire)
        take(force, wire)
        assert 1 == len(Revocations.load(force.folder).items)

    def test_a_folder_that_cannot_be_written_is_named(self, force: Force) -> None:
        """Whoever revokes must know that it did not arrive."""
        (force.folder / FOLDER).write_text("")
        with pytest.raises(AuthorityStorageError, match=FOLDER):
            take(force, force.revocation())


class TestKept:
    """What was taken counts for ever."""

    def test_it_outlives_its_key(self, force: Force) -> None:
        """Neither the key's end nor its withdrawal gives an authority back."""
        taken = take(force, force.revocation())
        (force.trust_folder / "revoker.toml").unlink()
        force.clock.advance(timedelta(days=400).total_seconds())
        assert taken.revocation == Revocations.load(force.folder).of(force.authority(), DEVICE)

    def test_nothing_was_revoked_where_there_is_no_folder(self, force: Force) -> None:
        """And none of the others' authorities is touched."""
        assert Revocations() == Revocations.load(force.folder)
        take(force, force.revocation())
        assert None is Revocations.load(force.folder).of(force.authority(authority_id="another"), DEVICE)

    @pytest.mark.parametrize("content", [b"", b"{}", b"x" * 300_000])
    def test_a_broken_file_is_an_error(self, force: Force, content: bytes) -> None:
        """It may have ended what is to be armed now."""
        taken = take(force, force.revocation())
        taken.path.write_bytes(content)
        with pytest.raises(RevocationError, match=taken.path.name):
            Revocations.load(force.folder)

    def test_what_is_no_file_of_ours_is_an_error(self, force: Force) -> None:
        """A link, a pipe that would block, a stranger's name."""
        folder = take(force, force.revocation()).path.parent
        link, pipe, stranger = folder / f"a.{'0' * 16}.json", folder / f"b.{'0' * 16}.json", folder / "notes.txt"
        link.symlink_to("/dev/zero")
        with pytest.raises(RevocationError, match=r"a\.0"):
            Revocations.load(force.folder)
        link.unlink()
        os.mkfifo(pipe)
        with pytest.raises(RevocationError, match="not a file"):
            Revocations.load(force.folder)
        pipe.unlink()
        stranger.write_text("")
        with pytest.raises(RevocationError, match="no taken revocation"):
            Revocations.load(force.folder)

    def test_half_a_file_of_a_killed_process_is_passed_over(self, force: Force) -> None:
        """It was never taken; whoever brought it was not told so."""
        taken = take(force, force.revocation())
        taken.path.with_name(f"{taken.path.name}.partial").write_bytes(b"{")
        assert (taken.revocation,) == Revocations.load(force.folder).items


class TestBelieving:
    """Verified first; on the disk later."""

    def believed(self, force: Force) -> TakenRevocation:
        return believe_revocation(
            force.folder,
            force.revocation(),
            trust=force.trust,
            device=DEVICE,
            device_fingerprint=force.appliance.fingerprint,
            now=force.now,
        )

    def test_nothing_is_written_before_it_is_to_be_kept(self, force: Force) -> None:
        """So that a disk that refuses keeps nobody's word away; and it is known whether it was taken before."""
        believed = self.believed(force)
        assert (True, Revocations()) == (believed.is_new, Revocations.load(force.folder))
        believed.keep()
        assert (believed.revocation,) == Revocations.load(force.folder).items
        assert not self.believed(force).is_new

    def test_what_lies_there_is_not_written_again(self, force: Force) -> None:
        """A full disk refuses nothing that it has; other bytes under that name are put right."""
        believed = self.believed(force)
        believed.keep()
        obstacle = believed.path.with_name(f"{believed.path.name}.partial")
        obstacle.mkdir()
        believed.keep()
        believed.path.write_bytes(b"{")
        with pytest.raises(AuthorityStorageError):
            believed.keep()
        obstacle.rmdir()
        believed.keep()
        assert (believed.revocation,) == Revocations.load(force.folder).items

    def test_some_that_are_on_no_disk_count_like_the_others(self, force: Force) -> None:
        """Together they say what has ended."""
        revocations = Revocations().and_also([self.believed(force).revocation])
        assert frozenset({"TS-2026-014"}) == revocations.ended_for(DEVICE)
        assert revocations.of(force.authority(), DEVICE) is not None
