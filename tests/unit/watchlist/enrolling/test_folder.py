"""The watchlist folder: what is read, and what is refused by line and field."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_lfr.errors import WatchlistFormatError
from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.enrolling.folder import MAX_CSV_BYTES, MAX_ROWS, read_source
from simulators.watchlists import CSV_HEADER, TAKEN_ON, csv_row, made_entry

HEADER = (
    b"reference_id,label,category,legal_basis,response_code,requester,expires_at,review_on,born_on,why_here,"
    b"picture,picture_source,picture_taken_on\n"
)
ROW = (
    b"REF-1,Subject A,suspect,s.24 PACE 1984,observe,DC 1234,2026-06-02T18:00:00+01:00,2026-09-01,1990-01-31,"
    b"lives nearby,a.jpg,custody suite,2025-01-31\n"
)
FULL_HEADER = HEADER[:-1] + b",under_18_necessity,under_18_countersigned_by,approved_by,is_bluelist\n"
ENTRY = made_entry(
    "REF-1", label="Subject A", expires_at=datetime(2026, 6, 2, 17, tzinfo=UTC), review_on=date(2026, 9, 1)
)


def folder_with(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "watchlist.csv").write_bytes(content)
    return tmp_path


def refusal(folder: Path) -> WatchlistFormatError:
    with pytest.raises(WatchlistFormatError) as caught:
        read_source(folder)
    return caught.value


def test_rows_of_one_reference_are_its_pictures(tmp_path: Path) -> None:
    """One entry for each reference, one row for each picture, lines as an editor counts them."""
    source = read_source(
        folder_with(
            tmp_path,
            HEADER
            + ROW.replace(b"a.jpg", b"a/1.jpg")
            + b"\n"
            + ROW.replace(b"REF-1", b"REF-2").replace(b"a.jpg", b"b.png").replace(b"2025-01-31", b"Unknown")
            + ROW.replace(b"a.jpg", b"a/2.jpg").replace(b"2025-01-31", b"2024-02-29"),
        )
    )

    assert (ENTRY, replace(ENTRY, reference_id="REF-2")) == source.entries
    assert [
        (2, "REF-1", tmp_path / "a/1.jpg", date(2025, 1, 31)),
        (4, "REF-2", tmp_path / "b.png", None),
        (5, "REF-1", tmp_path / "a/2.jpg", date(2024, 2, 29)),
    ] == [(row.line, row.reference_id, row.picture, row.taken_on) for row in source.rows]
    assert {"custody suite"} == {row.picture_source for row in source.rows}


def test_what_only_some_entries_need_may_be_left_out(tmp_path: Path) -> None:
    """The four last columns: absent, empty, or with what makes a listed child or witness lawful."""
    empty = FULL_HEADER + ROW[:-1] + b",,,,\n"
    said = FULL_HEADER + ROW[:-1] + b",runs away,Insp 1,Supt 2,TRUE\n"

    assert (ENTRY,) == read_source(folder_with(tmp_path, empty)).entries
    (entry,) = read_source(folder_with(tmp_path, said)).entries
    assert (
        replace(
            ENTRY,
            under_18_necessity="runs away",
            under_18_countersigned_by="Insp 1",
            approved_by="Supt 2",
            is_bluelist=True,
        )
        == entry
    )


def test_a_written_row_is_read_back(tmp_path: Path) -> None:
    """Whatever an entry holds: commas, quotes, what is unknown, what is left out."""
    entry = made_entry("REF-1", label='A "B", C', born_on=None, category=Category.VICTIM, approved_by="Supt 2")
    line = csv_row("REF-1", "a.jpg", label='A "B", C', born_on=None, category=Category.VICTIM, approved_by="Supt 2")

    source = read_source(folder_with(tmp_path, f"{CSV_HEADER}\n{line}\n".encode()))

    assert (entry,) == source.entries
    assert [(TAKEN_ON, "custody suite")] == [(row.taken_on, row.picture_source) for row in source.rows]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEADER + ROW,
        (HEADER + ROW).replace(b"\n", b"\r\n"),
        (HEADER + ROW).rstrip(b"\n"),
        HEADER + ROW.replace(b",", b" , ") + b"," * 12 + b"\n",
        b",".join(HEADER[:-1].title().split(b",")[::-1]) + b"\n" + b",".join(ROW[:-1].split(b",")[::-1]) + b"\n",
        HEADER + b",".join(b'"%s"' % field for field in ROW[:-1].replace(b"a.jpg", b"./a.jpg").split(b",")) + b"\n",
        HEADER + ROW.replace(b"2026-06-02T18:00:00+01:00", b"2026-06-02 17:00Z"),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, content: bytes) -> None:
    """A byte order mark, either line end, blanks around fields, quotes, any order of columns, empty rows."""
    source = read_source(folder_with(tmp_path, content))

    assert (ENTRY,) == source.entries
    assert [tmp_path / "a.jpg"] == [row.picture for row in source.rows]


@pytest.mark.parametrize(
    ("content", "place", "remedy"),
    [
        (b"", "is empty", "the first line names"),
        (b"\n\n", "is empty", "the first line names"),
        (HEADER, "no rows", "at least one"),
        (HEADER.replace(b"label,", b""), "line 1: the header lacks label", "the first line names"),
        (HEADER.replace(b"label", b"label,note"), "line 1: column 3", "leave only"),
        (HEADER.replace(b",picture,", b",picture,label,"), "line 1: column 12", "leave only"),
        (HEADER.replace(b",", b";"), "not separated by commas", "with commas"),
        (ROW, "the header lacks reference_id", "the first line names"),
        (HEADER + ROW[:-1] + b",more\n", "line 2: expected 13 fields, found 14", "correct these lines"),
        (HEADER + b"REF-1,Subject A\n", "line 2: expected 13 fields, found 2", "correct these lines"),
        (HEADER + ROW + b'REF-2,"Subject B,suspect,observe,b.jpg\n', "line 3: quotes", "as two"),
        (HEADER + b'REF-2,"Subj"ect,suspect,observe,b.jpg\n', "line 2: quotes", "as two"),
        (HEADER + ROW.replace(b"REF-1", b""), "line 2, reference_id", "correct"),
        (HEADER + ROW.replace(b"REF-1", b"-1"), "line 2, reference_id", "correct"),
        (HEADER + ROW.replace(b"REF-1", b"REF 1"), "line 2, reference_id", "correct"),
        (HEADER + ROW.replace(b"REF-1", b"R" * 65), "line 2, reference_id", "correct"),
        (HEADER + ROW.replace(b"Subject A", b" "), "line 2, label", "correct"),
        (HEADER + ROW.replace(b"Subject A", b"S" * 201), "line 2, label", "correct"),
        (HEADER + ROW.replace(b"Subject A", b"\x1b[31mA"), "line 2, label", "correct"),
        (HEADER + ROW.replace(b"Subject A", b'"A\nB"'), "line 2, label", "correct"),
        (HEADER + ROW.replace(b"Subject A", "A\u202eB".encode()), "line 2, label", "correct"),
        (HEADER + ROW.replace(b"suspect", b"other"), "line 2, category: one of wanted-by-courts, suspect", "correct"),
        (HEADER + ROW.replace(b"observe", b"shout"), "line 2, response_code: one of arrest", "correct"),
        (HEADER + ROW.replace(b"s.24 PACE 1984", b""), "line 2, legal_basis: 1 to 200", "correct"),
        (HEADER + ROW.replace(b"DC 1234", b"D" * 101), "line 2, requester: 1 to 100", "correct"),
        (HEADER + ROW.replace(b"+01:00", b""), "line 2, expires_at: a time with its zone", "correct"),
        (HEADER + ROW.replace(b"T18:00:00+01:00", b""), "line 2, expires_at: a time with its zone", "correct"),
        (HEADER + ROW.replace(b"T18", b"T25"), "line 2, expires_at: a time with its zone", "correct"),
        (HEADER + ROW.replace(b"2026-09-01", b"1.9.2026"), "line 2, review_on: a date", "correct"),
        (HEADER + ROW.replace(b"2026-09-01", b"unknown"), "line 2, review_on: a date", "correct"),
        (HEADER + ROW.replace(b"1990-01-31", b"1990-02-31"), "line 2, born_on: a date, such as", "correct"),
        (HEADER + ROW.replace(b"1990-01-31", b""), "line 2, born_on: a date, such as", "correct"),
        (HEADER + ROW.replace(b"1990-01-31", b"1990-W05-1"), "line 2, born_on: a date, such as", "correct"),
        (HEADER + ROW.replace(b"lives nearby", b"w" * 1001), "line 2, why_here: 1 to 1000", "correct"),
        (HEADER + ROW.replace(b"custody suite", b""), "line 2, picture_source: 1 to 200", "correct"),
        (HEADER + ROW.replace(b"2025-01-31", b"2025"), "line 2, picture_taken_on: a date, such as", "correct"),
        (FULL_HEADER + ROW[:-1] + b",\x07,,,\n", "line 2, under_18_necessity: 1 to 1000", "correct"),
        (FULL_HEADER + ROW[:-1] + b",,\x07,,\n", "line 2, under_18_countersigned_by: 1 to 100", "correct"),
        (FULL_HEADER + ROW[:-1] + b",,,\x07,\n", "line 2, approved_by: 1 to 100", "correct"),
        (FULL_HEADER + ROW[:-1] + b",,,,yes\n", "line 2, is_bluelist: true, false, or nothing", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b""), "line 2, picture", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"/etc/passwd"), "line 2, picture: a path inside", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"b/../../a.jpg"), "line 2, picture: a path inside", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"b\\a.jpg"), "line 2, picture: folders are separated by /", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"."), "line 2, picture: a path inside", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"a" * 1025), "line 2, picture: a path of", "correct"),
        (HEADER + ROW.replace(b"a.jpg", b"a\0.jpg"), "line 2, picture: a path of", "correct"),
        (HEADER + ROW + ROW, "line 3, picture: the same reference_id and picture stand in line 2", "correct"),
        (HEADER + ROW + ROW.replace(b"a.jpg", b"./a.jpg"), "line 3, picture: the same", "correct"),
        (HEADER + ROW + ROW.replace(b"Subject A", b"Subject B"), "line 3, label: differs from line 2", "correct"),
        (HEADER + ROW + ROW.replace(b"observe", b"arrest"), "line 3, response_code: differs from line 2", "correct"),
        (HEADER + ROW + ROW.replace(b"suspect", b"victim"), "line 3, category: differs from line 2", "correct"),
        (HEADER + ROW + ROW.replace(b"T18", b"T19"), "line 3, expires_at: differs from line 2", "correct"),
        (
            HEADER + b"".join(ROW.replace(b"a.jpg", b"%d.jpg" % number) for number in range(11)),
            "line 12, picture: at most 10",
            "correct",
        ),
    ],
)
def test_a_broken_format_is_told_by_line_and_field(tmp_path: Path, content: bytes, place: str, remedy: str) -> None:
    """File, line, field, what is allowed, and what to do."""
    error = refusal(folder_with(tmp_path, content))

    assert error.message.startswith("watchlist.csv")
    assert place in error.message
    assert remedy in error.advice


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_told_with_the_remedy(tmp_path: Path, encoding: str) -> None:
    """A guess could turn a name into another one."""
    text = (HEADER + ROW + ROW.replace(b"Subject A", b"Subject \xc3\x89").replace(b"REF-1", b"REF-2")).decode()

    error = refusal(folder_with(tmp_path, text.encode(encoding)))

    assert "watchlist.csv, line" in error.message
    assert "UTF-8" in error.advice or "the first line names" in error.advice


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Up to twenty, and the rest is counted."""
    error = refusal(folder_with(tmp_path, HEADER + ROW.replace(b"suspect", b"other") * 25))

    assert [f"line {line}" for line in range(2, 22)] == [
        line.split(", ")[1] for line in error.message.splitlines() if "category" in line
    ]
    assert error.message.endswith("and 5 more")


def test_a_message_never_repeats_content(tmp_path: Path) -> None:
    """Labels and picture names may be names of people; neither is in any message."""
    rows = b"".join(
        row.replace(b"Subject A", b"SECRET").replace(b"a.jpg", b"SECRET.jpg")
        for row in (
            ROW.replace(b"REF-1", b"SECRET!"),
            ROW.replace(b"suspect", b"SECRET"),
            ROW.replace(b"observe", b"SECRET"),
            *(
                b",".join(b"\x07SECRET" if number == place else field for number, field in enumerate(ROW.split(b",")))
                for place in range(12)
            ),
            ROW.replace(b"a.jpg", b"../a.jpg"),
            ROW.replace(b"Subject A", b"Subject A\t\x07"),
            ROW,
            ROW.replace(b"Subject A", b"Subject AB"),
        )
    )

    assert "SECRET" not in refusal(folder_with(tmp_path, HEADER + rows)).diagnostics()
    assert "SECRET" not in refusal(folder_with(tmp_path, b"SECRET,SECRET,SECRET\n" + rows)).diagnostics()


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    """Neither a linked picture nor a linked folder leads outside; links within are fine."""
    folder = tmp_path / "list"
    folder.mkdir()
    (tmp_path / "outside.jpg").write_bytes(b"")
    (folder / "inside.jpg").write_bytes(b"")
    (folder / "away.jpg").symlink_to("../outside.jpg")
    (folder / "up").symlink_to("..")
    (folder / "near.jpg").symlink_to("inside.jpg")

    for name in (b"away.jpg", b"up/outside.jpg"):
        error = refusal(folder_with(folder, HEADER + ROW.replace(b"a.jpg", name)))
        assert "line 2, picture: a path inside the folder: no link" in error.message
    source = read_source(folder_with(folder, HEADER + ROW.replace(b"a.jpg", b"near.jpg")))
    assert [folder / "inside.jpg"] == [row.picture for row in source.rows]


def test_a_folder_without_a_csv_is_told(tmp_path: Path) -> None:
    """A missing folder, a file in its place and an empty folder."""
    (tmp_path / "file").write_bytes(b"")

    for folder in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        assert "cannot be read" in refusal(folder).message


def test_the_bounds_of_the_csv_are_kept(tmp_path: Path) -> None:
    """More bytes or rows than the bounds are refused; a sparse file shows that it is not read whole first."""
    with (tmp_path / "watchlist.csv").open("wb") as file:
        file.truncate(MAX_CSV_BYTES * 100)
    assert "larger than" in refusal(tmp_path).message

    rows = b"".join(ROW.replace(b"REF-1", b"R%d" % number) for number in range(MAX_ROWS + 1))
    error = refusal(folder_with(tmp_path, HEADER + rows))
    assert f"line {MAX_ROWS + 2}: more than {MAX_ROWS} rows" in error.message


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), has_header=st.booleans())
@example(content=b"\0" + b",\0" * 12, has_header=True)
@example(content=ROW.replace(b"2026-06-02T18:00:00+01:00", b"1000-01-01T00:00+23:59"), has_header=True)
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, *, has_header: bool) -> None:
    """Whatever stands in the CSV, the answer is a source or a format error."""
    folder = folder_with(tmp_path, (HEADER if has_header else b"") + content)

    with suppress(WatchlistFormatError):
        assert read_source(folder).rows


def test_the_example_is_read(tmp_path: Path) -> None:
    """The example beside the format's description keeps the format."""
    example_file = Path(__file__).resolve().parents[4] / "watchlists" / "example.csv"

    source = read_source(folder_with(tmp_path, example_file.read_bytes()))

    assert set(Category) == {entry.category for entry in source.entries}
    assert set(ResponseCode) == {entry.response_code for entry in source.entries}
