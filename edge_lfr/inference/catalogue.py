"""
The catalogue of model packs: what each net is fed, what it returns, whose it is and what its scores are worth.

A pack is named by the digest of its whole entry. Adding one whose nets have a known shape (a YuNet or SCRFD detector,
any net that embeds aligned faces) is a new entry in `models/catalogue.toml` and no code.
"""

import base64
import binascii
import hashlib
import json
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator

from edge_lfr.biometrics.geometry import LANDMARK_COUNT, PointsXY, SizeWH
from edge_lfr.config.bounded_toml import read_toml
from edge_lfr.config.section import Identifier, Section
from edge_lfr.errors import ConfigError, ModelContractError, ModelMissingError

MAX_MODEL_BYTES: Final = 600_000_000
"""Largest model file that is ever read; the largest face nets in use have about 250 MB (chosen, not measured)."""

Colour = Literal["bgr", "rgb"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
HttpsAddress = Annotated[str, Field(pattern=r"^https://[^\s]+$", max_length=1000)]
Point = tuple[float, float]
FivePoints = Annotated[tuple[Point, ...], Field(min_length=LANDMARK_COUNT, max_length=LANDMARK_COUNT)]
WorkingSide = Annotated[int, Field(ge=32, le=7680, multiple_of=32)]


class FileSpec(Section):
    """One file of a pack; it is recognised by its digest, whatever it is called where it comes from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.onnx$")]
    """Name under which it is installed."""

    bytes: Annotated[int, Field(gt=0, le=MAX_MODEL_BYTES)]
    sha256: Sha256
    addresses: tuple[HttpsAddress, ...] = ()
    """Where the publisher offers it, tried in order; none: it comes from a folder or an archive."""


class DetectorKind(StrEnum):
    """How a detector's outputs are read."""

    YUNET = "yunet"
    SCRFD = "scrfd"


class DetectorSpec(Section):
    """A net that finds faces: float32 (1, 3, height, width) in, boxes and five landmarks by cell out."""

    file: FileSpec
    kind: DetectorKind
    input_name: str
    fixed_size: tuple[WorkingSide, WorkingSide] | None = None
    """Width and height, when the net takes no other; None: any multiples of 32."""

    colour: Colour
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0.0)] = 1.0
    """The net is fed (pixel - mean) / scale."""

    smallest_face_px: Annotated[float, Field(gt=0.0)]
    """Width of the smallest face that is still found reliably, in pixels of the net's own input."""

    @property
    def fixed_size_wh(self) -> SizeWH | None:
        return None if self.fixed_size is None else SizeWH(*self.fixed_size)


class EmbedderSpec(Section):
    """A net that turns an aligned face into a vector: float32 (n, 3, size, size) in, (n, dimension) out."""

    file: FileSpec
    input_name: str
    size: Annotated[int, Field(ge=32, le=512)]
    """Side of the square sample in pixels."""

    colour: Colour
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0.0)] = 1.0
    """The net is fed (pixel - mean) / scale."""

    template: FivePoints
    """Where the five landmarks lie in the sample, in pixels of `size`."""

    dimension: Annotated[int, Field(ge=16, le=4096)]
    fixed_batch: Literal[1] | None = None
    """1: the net takes one sample at a time; None: any number."""

    independent: Literal["cv2.FaceRecognizerSF"] | None = None
    """Another implementation of the same preprocessing, against which golden values are recorded."""

    @property
    def template_xy(self) -> PointsXY:
        """float32 (5, 2)."""
        return np.asarray(self.template, dtype=np.float32)


class QualitySpec(Section):
    """A net that rates an aligned face."""

    file: FileSpec
    input_name: str
    size: Annotated[int, Field(ge=32, le=512)]
    colour: Colour
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0.0)] = 1.0


class CalibrationRow(Section):
    """The lowest threshold allowed for up to so many templates."""

    templates: Annotated[int, Field(gt=0)]
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Cosine at or above which a look is a hit."""

    false_alerts_per_1000: Annotated[float, Field(ge=0.0)]
    """Expected among 1,000 passages of people who are not listed; of the worst group, where groups were told apart."""

    upper_per_1000: Annotated[float, Field(ge=0.0)] | None = None
    """The same, upper end of the 95 % bound; None: nobody has bounded it."""

    worst_group: Annotated[str, Field(max_length=80)] | None = None
    """The labelled group that decided; None: groups were not told apart."""

    evidence: Literal["measured", "extrapolated"]
    """`measured`: the bound rests on pairs that were seen at this threshold; `extrapolated`: on a tail beyond them."""

    @property
    def false_alerts_in_words(self) -> str:
        """What to expect at this threshold: the bound where there is one."""
        if self.upper_per_1000 is None:
            return f"about {self.false_alerts_per_1000:g} false alerts in 1,000 passages, not bounded"
        return f"at most {self.upper_per_1000:g} false alerts in 1,000 passages (95 %)"

    def threshold_for(self, configured: float | None) -> float:
        """
        Take this row's threshold as the floor: give it, or a configured value at or above it.

        Raises:
            ConfigError: The configured value (`decision.threshold`) lies below the floor.
        """
        if configured is None:
            return self.threshold
        if configured < self.threshold:
            message = (
                f"decision.threshold: {configured} lies below the floor {self.threshold}, "
                f"the pack's calibration for up to {self.templates} templates"
            )
            raise ConfigError(message, remedy="raise the value, or leave it out to take the floor")
        return configured


class Golden(Section):
    """What the pack's nets return for the fixed picture of the self-test."""

    landmarks_xy: FivePoints
    """In pixels of the fixed picture."""

    embedding: Annotated[str, Field(max_length=32_768)]
    """The unit vector: base64 of little-endian float32."""

    @field_validator("embedding")
    @classmethod
    def _is_a_finite_vector(cls, text: str) -> str:
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            message = f"embedding: no base64: {error}"
            raise ValueError(message) from None
        if len(raw) % 4 or not np.isfinite(np.frombuffer(raw, dtype="<f4")).all():
            message = "embedding: not a row of finite float32 values"
            raise ValueError(message)
        return text

    @classmethod
    def of(cls, landmarks_xy: PointsXY, vector: NDArray[np.float32]) -> Self:
        """Write down what was measured; the fixed picture is the one face whose vector may become text."""
        points = tuple((round(float(x), 3), round(float(y), 3)) for x, y in landmarks_xy)
        return cls(landmarks_xy=points, embedding=base64.b64encode(vector.astype("<f4").tobytes()).decode())

    @property
    def points_xy(self) -> PointsXY:
        """float32 (5, 2)."""
        return np.asarray(self.landmarks_xy, dtype=np.float32)

    @property
    def vector(self) -> NDArray[np.float32]:
        """float32 (d,)."""
        return np.frombuffer(base64.b64decode(self.embedding), dtype="<f4").astype(np.float32)


class PackEntry(Section):
    """One pack: the nets that work together, and everything that their scores depend on."""

    id: Identifier
    title: str
    licence: str
    non_commercial: bool = False
    """Research licences: the appliance says so and runs them in training only."""

    provisional: bool = False
    """Nobody has recorded golden values for it yet: `edge-lfr models selftest --record` does, after it is installed."""

    detector: DetectorSpec
    embedder: EmbedderSpec
    quality: QualitySpec | None = None
    calibration: tuple[CalibrationRow, ...] = ()
    calibration_data: Annotated[str, Field(max_length=80)] | None = None
    """The data that the calibration was made from; None: it was put together by hand."""

    calibration_command: Annotated[str, Field(max_length=200)] | None = None
    """The command that made the calibration; None: likewise."""

    golden: Golden | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        sizes = [row.templates for row in self.calibration]
        thresholds = [row.threshold for row in self.calibration]
        if sizes != sorted(set(sizes)) or thresholds != sorted(thresholds):
            message = "calibration: rows must grow in templates, and never fall in threshold"
            raise ValueError(message)
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            message = "two files of the pack have the same name"
            raise ValueError(message)
        if self.golden is not None and len(self.golden.vector) != self.embedder.dimension:
            message = f"golden: {len(self.golden.vector)} values, but the embedder gives {self.embedder.dimension}"
            raise ValueError(message)
        if self.golden is None and not self.provisional:
            message = "golden: missing, and the pack is not marked provisional"
            raise ValueError(message)
        return self

    @property
    def files(self) -> tuple[FileSpec, ...]:
        """Everything that has to be installed."""
        parts = (self.detector, self.embedder, self.quality)
        return tuple(part.file for part in parts if part is not None)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the whole entry: what templates, alerts and records name."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def floor(self, templates: int) -> CalibrationRow:
        """
        Give the lowest threshold allowed for a watchlist of so many templates, and what it is expected to cost.

        Raises:
            ModelContractError: The pack has no calibration for so many.
        """
        for row in self.calibration:
            if row.templates >= templates:
                return row
        largest = self.calibration[-1].templates if self.calibration else 0
        raise ModelContractError(
            f"pack {self.id}: calibrated for at most {largest} templates, the watchlist has {templates}",
            remedy="load a smaller watchlist, or use a pack that is calibrated for this size",
        )


class Catalogue(Section):
    """All packs that this installation knows."""

    packs: tuple[PackEntry, ...]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [entry.id for entry in self.packs]
        if len(set(ids)) != len(ids):
            message = "two packs have the same id"
            raise ValueError(message)
        return self

    def pack(self, pack_id: str) -> PackEntry:
        """
        Find a pack by its id.

        Raises:
            ModelMissingError: The catalogue has none of this id.
        """
        for entry in self.packs:
            if entry.id == pack_id:
                return entry
        known = ", ".join(entry.id for entry in self.packs)
        raise ModelMissingError(
            f"pack {pack_id}: not in the catalogue (it knows {known})",
            remedy="choose one of these with `models.pack`, or add an entry to the catalogue",
        )


def catalogue_path() -> Path:
    """The catalogue that came with the program: beside this file in an installed wheel, in `models/` of a checkout."""
    beside = Path(__file__).with_name("catalogue.toml")
    return beside if beside.is_file() else Path(__file__).parents[2] / "models" / "catalogue.toml"


def load_catalogue(path: Path | None = None) -> Catalogue:
    """
    Read a catalogue; None reads the one that came with the program.

    Raises:
        ConfigError: It is missing, no TOML, or an entry says something impossible; names the file and the field.
    """
    source = catalogue_path() if path is None else path
    try:
        content = read_toml(source.read_bytes())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"catalogue {source}: {error}", remedy="restore the catalogue file") from error
    try:
        return Catalogue.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"catalogue {source}: {_first_fault(error)}", remedy="correct the entry") from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    return f"{field}: {fault['msg']}"
