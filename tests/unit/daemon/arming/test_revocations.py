"""A revocation that came as a message: it counts at once, whatever the disk and the ledger do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.errors import TrustError
from edge_lfr.governance.authority.judgement import AuthorityState, VerifiedAuthority
from edge_lfr.governance.authority.revocation import Revocations, believe_revocation
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.watchlist.wiping.certificate import WipeCause
from simulators.authorities import DEVICE
from simulators.overseen import Overseen, authorised

HOUR_S = 3600.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Overseen]:
    """The window is open, and the street is looked at."""
    van = authorised(tmp_path)
    van.pass_time(HOUR_S)
    assert van.is_searching
    van.noted.clear()
    yield van
    van.close()


@pytest.fixture
def obstacle(running: Overseen) -> Path:
    """What keeps the revocation of the installed authority off the disk: a folder where its file is to be made."""
    taken = believe_revocation(
        running.folder.parent,
        running.deployment.force.revocation(),
        trust=running.mandate.trust,
        device=DEVICE,
        device_fingerprint=None,
        now=running.clock.now,
    )
    obstacle = taken.path.with_name(f"{taken.path.name}.partial")
    obstacle.mkdir(parents=True)
    return obstacle


def kept(van: Overseen) -> list[str]:
    return [each.authority_id for each in Revocations.load(van.folder.parent).items]


def test_it_counts_although_the_disk_refuses_it(running: Overseen, obstacle: Path) -> None:
    """Nobody is compared when it was taken, the list ends at the next look, and it is said until the disk has it."""
    running.overseer.revoke(running.deployment.force.revocation())
    assert (False, []) == (running.operation.loop.is_searching, kept(running))
    running.pass_time(1)
    assert ([WipeCause.REVOKED], True) == (running.wipes, running.box.store.is_empty())
    assert "revocation-not-kept" in running.health.reasons()
    running.pass_time(120)
    verified = running.mandate.authority
    assert isinstance(verified, VerifiedAuthority)
    assert (AuthorityState.REVOKED, ("authority-revoked",)) == (verified.state, running.health.bars)
    running.deployment.load()
    running.pass_time(1)
    assert ([WipeCause.REVOKED] * 2, True) == (running.wipes, running.holds_nothing)
    obstacle.rmdir()
    running.pass_time(1)
    assert (["TS-2026-014"], False) == (kept(running), "revocation-not-kept" in running.health.reasons())
    assert 1 == len(running.events(LedgerEvent.REVOKED))


@pytest.mark.parametrize("is_refused", [True, False])
def test_no_process_takes_the_place_of_one_that_alone_knows_it(
    running: Overseen,
    obstacle: Path,
    is_refused: bool,  # noqa: FBT001
) -> None:
    """The next one would let that authority run; with the revocation on the disk it may come."""
    running.box.wiping.may_be_replaced = True
    if not is_refused:
        obstacle.rmdir()
    running.overseer.revoke(running.deployment.force.revocation())
    running.pass_time(1)
    assert ([WipeCause.REVOKED], not is_refused) == (running.wipes, running.box.wiping.wants_replacement)


def test_it_has_one_line_however_often_it_comes(running: Overseen) -> None:
    """By whose key, of which authority and why; the broker sends it again with each connection."""
    wire = running.deployment.force.revocation()
    for _ in range(2):
        running.overseer.revoke(wire)
        running.pass_time(70)
    (line,) = [noted for noted in running.noted if noted.event is LedgerEvent.REVOKED]
    key = running.deployment.force.revoker.fingerprint
    assert (Actor.of_key(key), shown_fingerprint(key)) == (line.who, line.facts["key"])
    assert ("TS-2026-014", "mistake") == (line.facts["authority"], line.facts["code"])


def test_it_has_its_line_while_the_disk_refuses_it(running: Overseen, obstacle: Path) -> None:
    """And no second one when it comes again, nor when it is written."""
    for _ in range(2):
        running.overseer.revoke(running.deployment.force.revocation())
    obstacle.rmdir()
    running.pass_time(70)
    assert 1 == len(running.events(LedgerEvent.REVOKED))


def test_it_has_its_line_also_where_that_authority_is_not_installed(running: Overseen) -> None:
    """It counts for ever; what runs under another one goes on."""
    running.overseer.revoke(running.deployment.force.revocation(authority_id="TS-2026-099"))
    running.pass_time(70)
    assert ["TS-2026-099"] == [facts["authority"] for facts in running.events(LedgerEvent.REVOKED)]
    assert (True, ["TS-2026-099"]) == (running.is_searching, kept(running))


def test_a_ledger_that_takes_nothing_keeps_no_revocation_away(running: Overseen) -> None:
    """Nobody is compared, and it is on the disk."""
    running.notes_fail = True
    running.overseer.revoke(running.deployment.force.revocation())
    assert (False, ["TS-2026-014"]) == (running.operation.loop.is_searching, kept(running))


def test_what_nobody_signed_is_neither_believed_nor_kept(running: Overseen, obstacle: Path) -> None:
    """Verified first: a disk that refuses makes nobody's word count."""
    with pytest.raises(TrustError):
        running.overseer.revoke(running.deployment.force.revocation(running.deployment.force.issuer))
    obstacle.rmdir()
    running.pass_time(70)
    assert (True, [], []) == (running.is_searching, kept(running), running.events(LedgerEvent.REVOKED))
