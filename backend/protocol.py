# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages between the plugin and the backend: one JSON object a line. Standard library alone: the plugin imports it.

The parent writes one request line on the child's stdin, later perhaps a `cancel` line; end of stdin cancels too.
The child writes `hello` at once, `ready` when the model is loaded, then `progress` and `warning`, and ends with exactly one
`result` or `failure`. Nothing else is ever on its stdout.

The annotations below are evaluated when a message is read, in the plugin by Python 3.9 too: hence Optional, not `| None`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import math
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Optional, Union, get_type_hints

PROTOCOL_VERSION = 1
"""Raised when a message changes so that an older reader would misread it. Fields may be added without raising it."""

UNITS = ("auto", "db", "power", "amplitude", "dn", "scaled")
PRECISIONS = ("auto", "fp32", "bf16")
SAMPLE_DESIGNS = ("auto", "stratified", "random", "none")
"""How reference points were drawn: at random within each class of the map, at random over all of it, or otherwise."""
DEFAULT_OVERLAP = 0.125
ATTENTION_HEADS = ("all", "mean")
"""Bands of the attention raster: the mean over the heads and each head, or the mean alone."""
RASTERS = ("landcover", "confidence", "probabilities", "attention")
"""Names of the outputs of a scene."""
COMPOSITE_PERIODS = ("season", "month", "all")
REDUCTIONS = ("median", "mean", "percentile")
"""How the dates of a composite become one value, always in linear power."""
SCENE_STATES = ("done", "skipped", "failed", "cancelled", "not begun")
"""How a scene of a batch may end; the words are part of its CSV."""
ATTENTION_SCOPES = ("scene", "window")
"""What attention is normalised over: the whole scene, for one query (`scene_attention.py`), or each window (`attention.py`)."""


class ErrorCode(str, Enum):
    """What went wrong, for programs; the plugin owns the translated sentence for people."""

    # the request
    REQUEST_INVALID = "request_invalid"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    # the sources
    SOURCE_MISSING = "source_missing"
    SOURCE_NOT_RASTER = "source_not_raster"
    SOURCE_UNREADABLE = "source_unreadable"
    SOURCE_COMPLEX = "source_complex"
    SOURCE_ALL_NODATA = "source_all_nodata"
    CRS_MISSING = "crs_missing"
    SPACING_TOO_COARSE = "spacing_too_coarse"
    LAYERS_DO_NOT_OVERLAP = "layers_do_not_overlap"
    BAND_ABSENT = "band_absent"
    BAND_DUPLICATE = "band_duplicate"
    BANDS_SWAPPED = "bands_swapped"
    UNIT_AMBIGUOUS = "unit_ambiguous"
    CALIBRATION_MISSING = "calibration_missing"
    BOUNDS_OUTSIDE = "bounds_outside"
    MASK_UNREADABLE = "mask_unreadable"
    MASK_OUTSIDE = "mask_outside"
    # a person's samples, class rasters and classifiers
    SAMPLES_UNREADABLE = "samples_unreadable"
    SAMPLES_OUTSIDE = "samples_outside"
    SAMPLES_UNSUITABLE = "samples_unsuitable"
    CLASS_RASTER_UNSUITABLE = "class_raster_unsuitable"
    CLASSIFIER_INVALID = "classifier_invalid"
    CLASSIFIER_OF_OTHER_MODEL = "classifier_of_other_model"
    # the outputs
    OUTPUT_FOLDER_MISSING = "output_folder_missing"
    OUTPUT_READ_ONLY = "output_read_only"
    OUTPUT_EXISTS = "output_exists"
    OUTPUT_IS_INPUT = "output_is_input"
    OUTPUT_UNSUITABLE = "output_unsuitable"
    DISK_FULL = "disk_full"
    RESUME_REFUSED = "resume_refused"
    # the model
    MODEL_MISSING = "model_missing"
    MODEL_TRUNCATED = "model_truncated"
    MODEL_CORRUPT = "model_corrupt"
    MODEL_HEADER_INVALID = "model_header_invalid"
    MODEL_CARD_INVALID = "model_card_invalid"
    MODEL_FORMAT_NEWER = "model_format_newer"
    MODEL_TENSORS_MISMATCH = "model_tensors_mismatch"
    MODEL_WEIGHTS_NOT_FINITE = "model_weights_not_finite"
    MODEL_OUTPUT_NOT_FINITE = "model_output_not_finite"
    # the machine
    DEVICE_UNAVAILABLE = "device_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    CLUSTER_UNAVAILABLE = "cluster_unavailable"
    WORKER_LOST = "worker_lost"
    # the interpreter, told by the plugin, which is the one to notice
    INTERPRETER_MISSING = "interpreter_missing"
    INTERPRETER_UNSUITABLE = "interpreter_unsuitable"
    BACKEND_CRASHED = "backend_crashed"
    # the end of a run
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class ExitStatus:
    """Exit statuses of each `python -m backend` command."""

    DONE = 0
    REFUSED = 2
    FAILED = 3
    CANCELLED = 130


class SardineError(Exception):
    """A refusal or failure with a sentence for people: what was found, what was needed, what to do.

    `refused` tells a request or input that was turned down (exit status 2) from a failure while running (3).
    """

    def __init__(self, code: ErrorCode, found: str, needed: str, action: str, *, refused: bool = True) -> None:
        super().__init__(code, found, needed, action)
        self.code = code
        self.found = found
        self.needed = needed
        self.action = action
        self.refused = refused

    def __str__(self) -> str:
        return f"{self.found} {self.needed} {self.action}".strip()


@dataclass(frozen=True)
class BandSource:
    """One band of a model and where it comes from: `path` as GDAL opens it, `band` counted from 1.

    An empty `role` is read off the band's description or the file's name; `band` 0, for an empty role alone, means each
    band of the source whose role can be read.
    """

    role: str
    path: str
    band: int = 1

    @classmethod
    def parse(cls, text: str) -> BandSource:
        r"""The source in `ROLE=source:N`, `source:N` or `source`. The text after the last colon, if all digits, is the band.

        A role is letters, digits and underscores, so that a path may hold an equals sign.

        >>> BandSource.parse(r"VV=C:\s1.tif")
        BandSource(role='VV', path='C:\\s1.tif', band=1)
        >>> BandSource.parse("VH=NETCDF:a.nc:vh:3")
        BandSource(role='VH', path='NETCDF:a.nc:vh', band=3)
        >>> BandSource.parse("s1_vv.tif")
        BandSource(role='', path='s1_vv.tif', band=0)

        Raises SardineError (request_invalid) where the source is empty or the band is 0.
        """
        match = re.match(r"(\w+)=", text)
        role, source = (match.group(1), text[match.end() :]) if match else ("", text)
        path, colon, digits = source.rpartition(":")
        if colon and digits.isascii() and digits.isdigit():
            band = int(digits)
            valid = band >= 1
        else:
            path, band = source, (1 if role else 0)
            valid = not source.startswith("=")
        if not path.strip() or not valid:
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"The band “{text}” was not understood.",
                "It needs the form ROLE=source:N, with bands counted from 1.",
                "Write for example VV=scene.tif:1.",
            )
        return cls(role, path, band)


@dataclass(frozen=True)
class OutputPaths:
    """Where each raster goes; None leaves it out. At least one is needed."""

    landcover: Optional[str] = None
    confidence: Optional[str] = None
    probabilities: Optional[str] = None
    attention: Optional[str] = None

    def chosen(self) -> dict[str, str]:
        """Output name to path, for the outputs asked for."""
        return {name: path for name, path in dataclasses.asdict(self).items() if path}


@dataclass(frozen=True)
class JobRequest:
    """What `python -m backend predict` is asked to do.

    `bounds` is xmin, ymin, xmax, ymax in `bounds_crs` (the scene's CRS if None). `attention_scope` says what attention is
    normalised over: the whole scene (for one query, see `scene_attention.py`), or each window (see `attention.py`). `resume`
    goes on where an unfinished run of the same request was, and leaves this run to be gone on from if it does not finish.
    """

    type: ClassVar[str] = "predict"
    bands: tuple[BandSource, ...]
    model: str
    outputs: OutputPaths
    units: str = "auto"
    calibration_db: Optional[float] = None
    spacing_m: Optional[float] = None
    bounds: Optional[tuple[float, float, float, float]] = None
    bounds_crs: Optional[str] = None
    mask: Optional[str] = None
    overlap: float = DEFAULT_OVERLAP
    device: str = "auto"
    precision: str = "auto"
    attention_heads: str = "all"
    batch_size: Optional[int] = None
    overwrite: bool = False
    allow_coarse: bool = False
    attention_scope: str = "scene"
    resume: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class BatchScene:
    """One scene of a batch. Its outputs are `<name>_<output>.tif` in `subfolder` of the batch's folder.

    `problem` is a sentence on why it cannot be mapped, known before the run; empty where nothing is known against it.
    """

    name: str
    bands: tuple[BandSource, ...]
    subfolder: str = ""
    problem: str = ""


@dataclass(frozen=True)
class BatchRequest:
    """What `python -m backend batch` is asked: `outputs` of each scene into `folder`, all with the same `settings`.

    Bands and outputs of `settings` are filled in for each scene; unless it says `overwrite`, outputs that exist are kept and only
    what is missing is made. `scheduler` is the address of a Dask cluster that is there; None starts one on this machine. `csv` and
    `html` are the table of all scenes, kept up to date while the batch runs. `mosaic` is one raster of land cover of all scenes: a
    GeoTIFF (each pixel by the scene that is surest of it) or a VRT (whole scenes, the surest on top).
    """

    type: ClassVar[str] = "batch"
    scenes: tuple[BatchScene, ...]
    folder: str
    settings: JobRequest
    outputs: tuple[str, ...] = ("landcover", "confidence")
    scheduler: Optional[str] = None
    csv: Optional[str] = None
    html: Optional[str] = None
    mosaic: Optional[str] = None
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class CompositeScene:
    """One date of a composite. `date` is YYYY-MM-DD or YYYY-MM; None reads it off the product or the file's name."""

    bands: tuple[BandSource, ...]
    date: Optional[str] = None


@dataclass(frozen=True)
class CompositeRequest:
    """What `python -m backend composite` is asked: dates of one place reduced to the raster `output`, on the grid of the first.

    `by` is one of COMPOSITE_PERIODS, `reduction` of REDUCTIONS; `percentile` belongs to the last of those. `count` is a raster of
    how many dates each pixel has. `directions_apart` keeps ascending and descending orbits in bands of their own.
    """

    type: ClassVar[str] = "composite"
    scenes: tuple[CompositeScene, ...]
    output: str
    count: Optional[str] = None
    by: str = "all"
    reduction: str = "median"
    percentile: float = 50.0
    directions_apart: bool = False
    units: str = "auto"
    calibration_db: Optional[float] = None
    spacing_m: Optional[float] = None
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class AccuracyRequest:
    """What `python -m backend accuracy` is asked: how well `raster`, a class raster, agrees with `reference`.

    `reference` is points or polygons (.gpkg, .geojson; `field` names the class) or a class raster. `design` is one of
    SAMPLE_DESIGNS; auto takes points for a stratified sample and anything else for no sample. `class_names` gives names by code
    (as text: JSON keys are), beside those that the raster's own tags give.
    """

    type: ClassVar[str] = "accuracy"
    raster: str
    reference: str
    band: int = 1
    field: Optional[str] = None
    design: str = "auto"
    class_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    html: Optional[str] = None
    csv: Optional[str] = None
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class StratifiedSampleRequest:
    """What `python -m backend stratified-sample` is asked: `points` random points over the classes of `raster`, `least` a class
    at the least where it has so many pixels, the others in proportion to area; into the GeoJSON file `output`.
    """

    type: ClassVar[str] = "stratified_sample"
    raster: str
    output: str
    band: int = 1
    points: int = 500
    least: int = 50
    seed: int = 0
    class_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class SceneInput:
    """A scene, a model, and how features are made of them; fields that `JobRequest` has too mean the same.

    `components` is how many principal components the patch tokens are reduced to. `cache` is the folder of features that were
    made before (None: the user's own), kept below `cache_limit_gb`.
    """

    bands: tuple[BandSource, ...]
    model: str
    units: str = "auto"
    calibration_db: Optional[float] = None
    spacing_m: Optional[float] = None
    bounds: Optional[tuple[float, float, float, float]] = None
    bounds_crs: Optional[str] = None
    overlap: float = 0.25
    components: int = 16
    device: str = "auto"
    precision: str = "auto"
    allow_coarse: bool = False
    cache: Optional[str] = None
    cache_limit_gb: Optional[float] = None


@dataclass(frozen=True)
class FeaturesRequest:
    """What `python -m backend features` is asked: the features of a scene as the raster `output`, one pixel a patch."""

    type: ClassVar[str] = "features"
    scene: SceneInput
    output: str
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class ClassifySamplesRequest:
    """What `python -m backend classify` is asked: a map of `scene` from samples, polygons or points with a class in `field`.

    `method` is one of forest, boosting, logistic; `groups` of attention, tokens, db (which needs no run of the network;
    docs/samples.md says what the others bring). `class_colours` are #rrggbb by the text of the
    class. `validate` judges by held-out samples. `cached_only` is for a quick look: where attention and tokens are not in the
    cache, backscatter alone is looked at. All outputs are optional, but for one of them.
    """

    type: ClassVar[str] = "classify_samples"
    scene: SceneInput
    samples: str
    field: str
    method: str = "forest"
    groups: tuple[str, ...] = ("db",)
    class_colours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    validate: bool = True
    cached_only: bool = False
    seed: int = 0
    classes: Optional[str] = None
    confidence: Optional[str] = None
    classifier: Optional[str] = None
    html: Optional[str] = None
    csv: Optional[str] = None
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class ApplyClassifierRequest:
    """What `python -m backend apply-classifier` is asked: a map of another scene with a classifier that `classify` has saved."""

    type: ClassVar[str] = "apply_classifier"
    scene: SceneInput
    classifier: str
    classes: Optional[str] = None
    confidence: Optional[str] = None
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class SimilarityRequest:
    """What `python -m backend similarity` is asked: how much `scene` is like the places in `samples`, points or polygons.

    The places lie on `places_scene`, or on the scene itself. `polygons` is a GeoJSON file of what is at least `threshold` alike.
    """

    type: ClassVar[str] = "similarity"
    scene: SceneInput
    samples: str
    places_scene: Optional[SceneInput] = None
    similarity: Optional[str] = None
    polygons: Optional[str] = None
    threshold: float = 0.8
    overwrite: bool = False
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class Cancel:
    type: ClassVar[str] = "cancel"


@dataclass(frozen=True)
class Hello:
    """Sent before torch is imported, so that the parent knows within a moment that the interpreter starts."""

    type: ClassVar[str] = "hello"
    versions: Mapping[str, str]
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class Ready:
    """The model is loaded."""

    type: ClassVar[str] = "ready"
    device: str
    precision: str
    model_name: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of `stage`; `rate_mpx_s` is scene megapixels a second, `left_s` the time left, where known.

    Of a batch all this is of all its scenes together, and `scene` is the one that is told of.
    """

    type: ClassVar[str] = "progress"
    stage: str
    done: int
    total: int
    rate_mpx_s: Optional[float] = None
    left_s: Optional[float] = None
    scene: str = ""


@dataclass(frozen=True)
class JobWarning:
    """Something that the person should know and that did not stop the run; `code` is stable, `text` a sentence."""

    type: ClassVar[str] = "warning"
    code: str
    text: str


@dataclass(frozen=True)
class JobResult:
    """A finished run. Areas and means are over valid pixels; `class_area_ha` is by class code (as text: JSON keys are).

    `warp_note` says how and why the scene was warped; it is empty where its pixels were used as they are.
    """

    type: ClassVar[str] = "result"
    outputs: Mapping[str, str]
    crs_wkt: Optional[str]
    bounds: tuple[float, float, float, float]
    height: int
    width: int
    unit: str
    unit_evidence: str
    warp_note: str
    valid_share: float
    valid_area_km2: float
    mean_confidence_percent: Optional[float]
    class_area_ha: Mapping[str, float]
    windows_total: int
    windows_run: int
    device: str
    precision: str
    elapsed_s: float
    model_name: str
    model_sha256: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """A finished run of anything but `predict`: output name to path, figure name to number, and sentences that sum it up.

    `details` is JSON for programs, as each task documents it. `partial` says that some of what was asked failed, as `lines` tell.
    """

    type: ClassVar[str] = "task_result"
    outputs: Mapping[str, str]
    figures: Mapping[str, float]
    lines: tuple[str, ...] = ()
    details: str = "{}"
    warnings: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True)
class JobFailure:
    """The one end of a run that did not finish. `refused` is exit status 2, otherwise 3; code `cancelled` is 130."""

    type: ClassVar[str] = "failure"
    code: str
    found: str
    needed: str
    action: str
    refused: bool = False
    detail: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.found} {self.needed} {self.action}".strip()

    @property
    def exit_status(self) -> int:
        if self.code == ErrorCode.CANCELLED.value:
            return ExitStatus.CANCELLED
        return ExitStatus.REFUSED if self.refused else ExitStatus.FAILED

    @classmethod
    def from_error(cls, error: SardineError, detail: str = "") -> JobFailure:
        return cls(error.code.value, error.found, error.needed, error.action, error.refused, detail)


@dataclass(frozen=True)
class SceneOutcome:
    """How one scene of a batch ended, told as soon as it has: one of SCENE_STATES.

    `outputs` are all its rasters, those too that were there already; `failure` says why it is not done, `result` is there where it
    is. `attempts` counts how often it was begun.
    """

    type: ClassVar[str] = "scene"
    name: str
    state: str
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    result: Optional[JobResult] = None
    failure: Optional[JobFailure] = None
    attempts: int = 0


Request = Union[
    JobRequest,
    BatchRequest,
    CompositeRequest,
    AccuracyRequest,
    StratifiedSampleRequest,
    FeaturesRequest,
    ClassifySamplesRequest,
    ApplyClassifierRequest,
    SimilarityRequest,
]
"""The first line that a child reads."""
Result = Union[JobResult, TaskResult]
ToChild = Union[Request, Cancel]
FromChild = Union[Hello, Ready, Progress, JobWarning, SceneOutcome, Result, JobFailure]
Message = Union[ToChild, FromChild]
_MESSAGE_TYPES: dict[str, type[Any]] = {cls.type: cls for cls in typing.get_args(Message)}


def encode(message: Message) -> str:
    """`message` as one line of JSON with its newline. ASCII alone, so that no pipe's encoding can spoil a path."""
    return json.dumps({"type": message.type, **dataclasses.asdict(message)}, allow_nan=False) + "\n"


def decode(line: str | bytes) -> Message:
    """The message in `line`. Fields that this version does not know are ignored.

    Raises SardineError: protocol_mismatch for a request or hello of another protocol version, request_invalid for
    anything that is not a message or has fields missing or of the wrong type.
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _invalid("A line that is not JSON was received.") from error
    if not isinstance(data, dict) or not isinstance(data.get("type"), str) or data["type"] not in _MESSAGE_TYPES:
        raise _invalid("A line of JSON that is not a message was received.")
    cls = _MESSAGE_TYPES[data["type"]]
    if "protocol" in _fields(cls) and data.get("protocol") != PROTOCOL_VERSION:
        raise SardineError(
            ErrorCode.PROTOCOL_MISMATCH,
            f"A message of protocol version {data.get('protocol')!r} was received.",
            f"This side speaks version {PROTOCOL_VERSION}.",
            "Install plugin and backend of the same release.",
        )
    message: Message = _build(cls, data)
    return message


def _fields(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {f.name: f for f in dataclasses.fields(cls)}


def _build(cls: type[Any], data: dict[str, Any]) -> Any:
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, spec in _fields(cls).items():
        if name in data:
            values[name] = _convert(data[name], hints[name], f"{cls.__name__}.{name}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise _invalid(f"{cls.__name__} lacks “{name}”.")
    return cls(**values)


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` of parsed JSON as the annotated type; the few forms of annotation used above."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union:
        if value is None and type(None) in arguments:
            return None
        (hint,) = (a for a in arguments if a is not type(None))
        return _convert(value, hint, where)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast("type[Any]", hint), value)
    if origin is tuple and isinstance(value, list):
        if arguments[-1] is Ellipsis:
            return tuple(_convert(item, arguments[0], where) for item in value)
        if len(arguments) == len(value):
            return tuple(_convert(item, a, where) for item, a in zip(value, arguments))  # Python 3.9 has no strict
    if origin is collections.abc.Mapping and isinstance(value, dict):
        return {str(key): _convert(item, arguments[1], where) for key, item in value.items()}
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _invalid(f"{where} is {value!r:.80}.")


def _invalid(found: str) -> SardineError:
    return SardineError(
        ErrorCode.REQUEST_INVALID, found, "A message of the job protocol was needed.", "See backend/protocol.py for its fields."
    )
