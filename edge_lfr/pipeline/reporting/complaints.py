"""What is wrong with delivery just now: logged once when it begins or changes, and once when it is over."""

import structlog


class Complaints:
    """By code; one thread's own."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._log = structlog.get_logger()

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(sorted(self._reasons))

    def note(self, code: str, reason: str | None) -> bool:
        """Take what is the case now (*reason* None: all is well); True when that is news."""
        if reason == self._reasons.get(code):
            return False
        if reason is None:
            del self._reasons[code]
            self._log.info(code, is_over=True)
        else:
            self._reasons[code] = reason
            self._log.error(code, reason=reason)
        return True
