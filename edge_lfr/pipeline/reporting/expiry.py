"""
When a row's time is over: by a clock that is believed; in doubt only when uptime alone says so.

One jump of the clock must not cost an alert that nobody has taken yet, and a clock that never comes right must not keep
faces for ever.
"""

from edge_lfr.clock import Clock
from edge_lfr.governance.trusted_time import TimeVerdict


def is_over(stored_s: float, expires_s: float, verdict: TimeVerdict) -> bool:
    """
    Whether a row must not exist any more.

    In doubt nobody is compared, so a row is from before, and its whole period has passed when the appliance has been up
    in doubt for so long. One that is within its period by the wall time, be that right or wrong, stays even so: it may
    be a test of somebody who looks for the fault.

    Args:
        stored_s: When it came, by the wall time, seconds since 1970.

        expires_s: When its period ends, likewise.

        verdict: What is thought of the wall time now.
    """
    now_s = verdict.now.timestamp()
    if verdict.is_trusted:
        return expires_s <= now_s
    return expires_s - stored_s <= verdict.doubted_s and not stored_s <= now_s < expires_s


def believing(clock: Clock) -> TimeVerdict:
    """Give what the clock says, for programs that keep no watch over it and nobody's alerts."""
    return TimeVerdict(now=clock.utc_now(), doubt=None, doubted_s=0.0, steps=0, step_s=0.0)
