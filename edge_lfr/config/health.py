"""What the appliance tells those who watch over it."""

from typing import Annotated

from pydantic import Field

from edge_lfr.config.section import Section


class HealthConfig(Section):
    """For a monitor on this machine; the same counters, times, ages and memory go to the broker, too."""

    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9_464
    """Prometheus metrics at http://127.0.0.1:PORT/metrics, for programs on this machine only; 0: none."""
