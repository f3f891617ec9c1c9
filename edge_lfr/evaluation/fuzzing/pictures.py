"""Picture files of a watchlist: size, type and bounds checked without decoding, as every source does it first."""

from pathlib import Path
from random import Random

from edge_lfr.errors import PictureError
from edge_lfr.evaluation.fuzzing.bundles import grey_picture
from edge_lfr.evaluation.fuzzing.byte_changes import BOUNDARIES
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_unsigned, put_in, refused
from edge_lfr.watchlist.enrolling.pictures import MAX_PIXELS, MAX_SIDE_PX, PictureType, read_picture

HEAD_BYTES = 64
"""Where the dimensions of all four types stand."""


class Pictures:
    """One grey in each of the four types."""

    name = "picture"

    def __init__(self) -> None:
        self.specimens = tuple(grey_picture(kind, number) for number, kind in enumerate(PictureType))

    def structured(self, drawn: Random) -> Mutant:
        """Another number in the head, or the head of another type."""
        before = drawn.choice(self.specimens)
        place = drawn.randrange(min(HEAD_BYTES, len(before)))
        width = drawn.choice((1, 2, 4))
        number = drawn.choice(BOUNDARIES) % (1 << 8 * width)
        raw = number.to_bytes(width, drawn.choice(("big", "little")))
        head = before[:place] + raw + before[place + width :]
        if drawn.random() < 1 / 4:
            head = drawn.choice(self.specimens)[: drawn.randrange(16)] + head[drawn.randrange(16) :]
        return Mutant(head, "head")

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        try:
            picture = read_picture(put_in(folder, "offered", mutant.untrusted))
        except PictureError as error:
            return refused(error)
        width, height = picture.size.width, picture.size.height
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            message = "a picture larger than the bounds was taken"
            raise AssertionError(message)
        return of_unsigned(is_same=mutant.untrusted in self.specimens)

    def close(self) -> None:
        """Nothing was prepared."""
