"""The live vector, which ends with its search. The stored one, a *template*, is a row of the watchlist's gallery."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Slot


@dataclass(slots=True, eq=False)
class Probe:
    """The vector of one live face, in an arena slot that this record owns until `destroy`."""

    track_id: int
    pack_digest: str
    slot: Slot[np.float32]

    @property
    def vector(self) -> NDArray[np.float32]:
        """float32 (d,), unit length."""
        return self.slot.array

    def destroy(self) -> None:
        self.slot.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()
