"""Time that was spent, by the clock and on all cores."""

import resource
import time
from dataclasses import dataclass


@dataclass(slots=True)
class Spent:
    """Time by the clock, and CPU time of all threads."""

    wall_s: float = 0.0
    processor_s: float = 0.0

    def add(self, other: "Spent") -> None:
        self.wall_s += other.wall_s
        self.processor_s += other.processor_s

    def since(self, earlier: "Spent") -> "Spent":
        """What came after *earlier*, an earlier reading of the same stopwatch."""
        return Spent(self.wall_s - earlier.wall_s, self.processor_s - earlier.processor_s)


class Stopwatch:
    """From its making on; of this process, all threads."""

    def __init__(self) -> None:
        self._wall_s, self._processor_s = time.perf_counter(), time.process_time()

    def read(self) -> Spent:
        return Spent(time.perf_counter() - self._wall_s, time.process_time() - self._processor_s)


def children_cpu_s() -> float:
    """CPU time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
