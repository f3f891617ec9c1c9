"""Watchlist folders: `watchlist.csv` read, entries judged, pictures described, as `edge-lfr watchlist build` does."""

import csv
import io
import os
from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.errors import WatchlistFormatError
from edge_lfr.evaluation.fuzzing.bundles import grey_picture
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_unsigned, put_in, refused
from edge_lfr.evaluation.fuzzing.made import NOW
from edge_lfr.evaluation.fuzzing.tree_changes import TEXTS, TIMES
from edge_lfr.evaluation.made_entries import MADE_SOURCE, TAKEN_ON, made_entry
from edge_lfr.watchlist.bundle.building import plan_bundle
from edge_lfr.watchlist.bundle.composition import compose
from edge_lfr.watchlist.enrolling.columns import csv_fields
from edge_lfr.watchlist.enrolling.folder import COLUMNS, CSV_NAME, read_source
from edge_lfr.watchlist.enrolling.pictures import PictureType

ROWS: Final = 4
_PICTURE: Final = grey_picture(PictureType.PNG, 0)

PATHS: Final = (
    "..",
    ".",
    "/",
    "//etc/passwd",
    "a/../../b",
    "a\\b",
    "a\0b",
    "link/x.png",
    "loop/loop",
    "outside",
    "n" * 300,
    "/".join("a" * 600),
    "made-0.png/x",
    "\udcff",
    "~root",
    "pipe",
)
"""For the column of pictures; `link`, `loop`, `outside` and `pipe` are in the folder."""


def _made_csv(rows: int) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    for number in range(rows):
        entry = made_entry(f"MADE-{number // 2}", NOW, label="Made")
        lines.writerow(csv_fields(entry, picture=f"made-{number}.png", picture_source=MADE_SOURCE, taken_on=TAKEN_ON))
    return text.getvalue().encode()


class Folders:
    """A list of one row, and one of four."""

    name = "watchlist folder"

    def __init__(self) -> None:
        self.specimens = (_made_csv(1), _made_csv(ROWS))

    def structured(self, drawn: Random) -> Mutant:
        rows = list(csv.reader(io.StringIO(drawn.choice(self.specimens).decode(), newline="")))
        place = drawn.randrange(len(rows))
        column = drawn.randrange(len(COLUMNS))
        how = drawn.choice(("field", "field", "picture", "column", "double", "many"))
        match how:
            case "picture":
                rows[place][COLUMNS.index("picture")] = drawn.choice(PATHS)
            case "column":
                rows = [row[:column] + row[column + drawn.choice((0, 1)) :] for row in rows]
            case "double":
                rows.insert(drawn.randrange(len(rows)), rows[place])
            case "many":
                rows += [rows[-1]] * 12
            case _:
                rows[place][column] = drawn.choice((*TEXTS, *TIMES, "=1+1", "a" * 200_000))
        text = io.StringIO()
        csv.writer(text, delimiter=drawn.choice(",,,,,,;\t")).writerows(rows)
        encoding = drawn.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
        return Mutant(text.getvalue().encode(encoding, "replace"), f"{how}, {encoding}")

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        incoming = put_in(folder, CSV_NAME, mutant.untrusted).parent
        for number in range(ROWS):
            put_in(folder, f"made-{number}.png", _PICTURE)
        (incoming / "outside").symlink_to("/etc/passwd")
        (incoming / "link").symlink_to("/usr")
        (incoming / "loop").symlink_to("loop")
        os.mkfifo(incoming / "pipe")
        try:
            source = read_source(incoming)
        except WatchlistFormatError as error:
            return refused(error)
        if any(not row.picture.is_relative_to(incoming.resolve()) for row in source.rows):
            message = "a picture outside of the folder"
            raise AssertionError(message)
        plan = plan_bundle(source, NOW)
        compose(tuple(plan.dated()), NOW)
        return of_unsigned(is_same=mutant.untrusted in self.specimens)

    def close(self) -> None:
        """Nothing was prepared."""
