"""An authority before it is signed: what is open is named, and nothing that policy forbids is signed."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityDraftError
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.draft import (
    NEW_DRAFT,
    OF_ONE_DEPLOYMENT,
    draft,
    draft_file,
    open_fields,
    previous_content,
    ready_to_countersign,
    ready_to_sign,
)
from edge_lfr.governance.documents import DocumentRefusal, DocumentRefusedError
from simulators.authorities import Force


@pytest.fixture
def force(tmp_path: Path) -> Force:
    return Force(tmp_path)


def ready(force: Force, content: dict[str, Any]) -> Authority:
    return ready_to_sign(draft_file(content), force.now, AuthorityPolicy()).content


def problem(force: Force, content: dict[str, Any]) -> str:
    with pytest.raises(AuthorityDraftError) as caught:
        ready(force, content)
    assert caught.value.advice
    return caught.value.message


class TestDraft:
    """What a draft has, and what is open in it."""

    def test_a_new_draft_has_every_field(self) -> None:
        """The form and the draft never differ by one."""
        fields = {"schema" if name == "schema_version" else name for name in Authority.model_fields}
        assert fields == set(NEW_DRAFT)

    def test_every_required_field_of_a_new_draft_is_open(self) -> None:
        """Only what has a default is not asked for."""
        tops = {field.partition(".")[0] for field in open_fields(draft({}))}
        required = {name for name, field in Authority.model_fields.items() if field.is_required()}
        assert required - {"issued_at"} == tops

    def test_what_is_given_is_written(self) -> None:
        """And not open any more; the next draft is as open as before."""
        made = draft({"purpose": "To find people.", "staff.operators": ["301"]})
        assert {"purpose", "staff.operators.0"} == set(open_fields(draft({}))) - set(open_fields(made))

    def test_nothing_of_one_deployment_is_taken_over(self, force: Force) -> None:
        """Id, times, notice and list are asked for again; urgency is never a habit."""
        made = draft({}, previous=previous_content(force.signed(force.urgent(), force.officer, force.second)))
        assert set(OF_ONE_DEPLOYMENT) == set(open_fields(made))
        assert (False, None, None) == (made["is_urgent"], made["countersign_by"], made["issued_at"])
        assert made["purpose"] == force.content()["purpose"]

    @given(
        st.recursive(
            st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
        )
    )
    def test_an_open_place_is_never_overlooked(self, content: Any) -> None:
        """However deep it lies."""
        assert [] != list(open_fields({"around": [content, {"field": "TODO"}]}))


class TestReadyToSign:
    """`ready_to_sign`, step by step."""

    def test_a_whole_draft_is_ready(self, force: Force) -> None:
        """Dated now, whatever stood there."""
        assert force.now == ready(force, force.content(issued_at=None)).issued_at

    def test_1_signed_already(self, force: Force) -> None:
        """A signed one is no draft; neither is another file."""
        with pytest.raises(AuthorityDraftError, match="signed already"):
            ready_to_sign(force.signed(force.content()), force.now, AuthorityPolicy())
        with pytest.raises(DocumentRefusedError):
            ready_to_sign(b"{}", force.now, AuthorityPolicy())

    def test_2_open_fields(self, force: Force) -> None:
        """Each is named, and none of the hints is repeated."""
        message = problem(force, dict(NEW_DRAFT))
        assert len(list(open_fields(dict(NEW_DRAFT)))) == len(message.splitlines())
        assert "TODO" not in message

    def test_3_content(self, force: Force) -> None:
        """A wrong value is named before an officer is asked."""
        assert problem(force, force.content(threshold="0.7")).startswith("threshold: ")

    def test_4_policy(self, force: Force) -> None:
        """All rules at once."""
        message = problem(force, force.content(authorising_officer__rank="inspector", staff__operators=["Officer 101"]))
        assert ["authorising_officer.rank", "staff.operators"] == [
            line.partition(":")[0] for line in message.splitlines()
        ]

    def test_4_begins_before_it_is_signed(self, force: Force) -> None:
        """A draft that lay too long must begin later."""
        assert "issued_at" in problem(force, force.content(begins_at=(force.now - timedelta(seconds=1)).isoformat()))

    def test_5_end(self, force: Force) -> None:
        """Nothing is authorised that is over."""
        content = force.content()
        force.clock.advance(7 * 3600)
        assert "issued_at" in problem(force, content)


class TestReadyToCountersign:
    """`ready_to_countersign`."""

    def test_an_urgent_one_is_ready_until_its_deadline(self, force: Force) -> None:
        """The deadline itself is too late."""
        wire = force.signed(force.urgent())
        force.clock.advance(4 * 3600 - 1)
        assert ready_to_countersign(wire, force.now).content.is_urgent
        force.clock.advance(1)
        with pytest.raises(AuthorityDraftError, match="has passed"):
            ready_to_countersign(wire, force.now)

    def test_what_needs_none_gets_none(self, force: Force) -> None:
        """Not urgent, or nobody's yet."""
        with pytest.raises(AuthorityDraftError, match="not urgent"):
            ready_to_countersign(force.signed(force.content()), force.now)
        with pytest.raises(AuthorityDraftError, match="nobody has signed"):
            ready_to_countersign(draft_file(force.urgent()), force.now)

    def test_the_same_officer_does_not_countersign(self, force: Force) -> None:
        """A second person's key is another key."""
        with pytest.raises(DocumentRefusedError) as caught:
            ready_to_countersign(force.signed(force.urgent()), force.now).with_signature(force.officer)
        assert DocumentRefusal.DOUBLED_KEY is caught.value.refusal


def test_a_draft_is_a_file_to_edit() -> None:
    """One field a line, in the order of thought, and letters as people write them."""
    text = draft_file(draft({"place.name": "Caf\u00e9"})).decode()
    assert "Caf\u00e9" in text
    assert list(NEW_DRAFT) == list(json.loads(text)["content"])
