"""Delivery: the broker, the outbox and what an alert carries."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from edge_lfr.config.section import Seconds, Section


class BrokerConfig(Section):
    """Where alerts are published."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    """Name or address of the broker."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    """TCP port."""

    ca_file: Path | None = None
    """Certificates that may sign the broker's; None means no TLS, which only a loopback broker is allowed.
    Like every path here it may be `credential:NAME`: a file that the unit's LoadCredential= hands over."""

    certificate_file: Path | None = None
    """This client's certificate."""

    key_file: Path | None = None
    """This client's private key, PEM; best as `credential:NAME`, encrypted on the disk."""

    username: str | None = None
    password: SecretStr | None = None
    """Only beside TLS, for brokers without client certificates."""

    keepalive_s: Annotated[int, Field(ge=5, le=60)] = 12
    """How soon a dead link is noticed."""

    reconnect_s: tuple[Seconds, Seconds] = (1.0, 10.0)
    """First and longest wait before the next try."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.reconnect_s[0] > self.reconnect_s[1]:
            message = "reconnect_s: the first wait is longer than the longest"
            raise ValueError(message)
        if self.ca_file is None and self.host not in {"localhost", "127.0.0.1", "::1"}:
            message = "ca_file: a broker on another machine needs TLS"
            raise ValueError(message)
        if (self.certificate_file is None) != (self.key_file is None):
            message = "certificate_file and key_file go together"
            raise ValueError(message)
        return self


class ReportingConfig(Section):
    """What is sent; how long it may wait is retention's to say."""

    broker: BrokerConfig

    passage_gap_s: Seconds = 60.0
    """A subject seen again within this time of the last sighting belongs to the same alert."""

    picture_bytes: Annotated[int, Field(ge=4_000, le=40_000)] = 40_000
    """Largest JPEG of one face in a message."""

    health_interval_s: Seconds = 10.0
    """Time between two health messages."""

    max_stored: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    """Rows that may wait for delivery; for what is delivered or held, three times as many have room beside them."""
