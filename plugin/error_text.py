# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person reads of an error: a translated heading, what was found and needed, and what to do in QGIS."""

from __future__ import annotations

from ..backend.protocol import ErrorCode, JobFailure, SardineError
from .translation import tr


def headings() -> dict[ErrorCode, str]:
    """A translated heading of a few words for each code. A function, for the language may change while QGIS runs."""
    return {
        ErrorCode.REQUEST_INVALID: tr("The inputs do not fit together"),
        ErrorCode.PROTOCOL_MISMATCH: tr("Plugin and backend are of different versions"),
        ErrorCode.SOURCE_MISSING: tr("Raster not found"),
        ErrorCode.SOURCE_NOT_RASTER: tr("Not a raster file"),
        ErrorCode.SOURCE_UNREADABLE: tr("Raster cannot be read"),
        ErrorCode.SOURCE_COMPLEX: tr("Complex-valued raster"),
        ErrorCode.SOURCE_ALL_NODATA: tr("Raster without valid pixels"),
        ErrorCode.CRS_MISSING: tr("Raster without coordinate system"),
        ErrorCode.SPACING_TOO_COARSE: tr("Pixels too coarse for the model"),
        ErrorCode.LAYERS_DO_NOT_OVERLAP: tr("Rasters do not overlap"),
        ErrorCode.BAND_ABSENT: tr("A band is missing"),
        ErrorCode.BAND_DUPLICATE: tr("A band is used twice"),
        ErrorCode.BANDS_SWAPPED: tr("VV and VH look swapped"),
        ErrorCode.UNIT_AMBIGUOUS: tr("Unit of the values not certain"),
        ErrorCode.CALIBRATION_MISSING: tr("Calibration constant missing"),
        ErrorCode.BOUNDS_OUTSIDE: tr("Extent outside the raster"),
        ErrorCode.MASK_UNREADABLE: tr("Mask cannot be read"),
        ErrorCode.MASK_OUTSIDE: tr("Mask outside the raster"),
        ErrorCode.SAMPLES_UNREADABLE: tr("Samples cannot be read"),
        ErrorCode.SAMPLES_OUTSIDE: tr("Samples outside the raster"),
        ErrorCode.SAMPLES_UNSUITABLE: tr("Samples cannot be used"),
        ErrorCode.CLASS_RASTER_UNSUITABLE: tr("Not a class raster"),
        ErrorCode.CLASSIFIER_INVALID: tr("Classifier file cannot be used"),
        ErrorCode.CLASSIFIER_OF_OTHER_MODEL: tr("Classifier made with another model"),
        ErrorCode.OUTPUT_FOLDER_MISSING: tr("Output folder missing"),
        ErrorCode.OUTPUT_READ_ONLY: tr("Output folder cannot be written to"),
        ErrorCode.OUTPUT_EXISTS: tr("Output exists already"),
        ErrorCode.OUTPUT_IS_INPUT: tr("Output is also an input"),
        ErrorCode.OUTPUT_UNSUITABLE: tr("Output cannot be made"),
        ErrorCode.DISK_FULL: tr("Disk full"),
        ErrorCode.RESUME_REFUSED: tr("The unfinished run cannot go on"),
        ErrorCode.MODEL_MISSING: tr("Model file not found"),
        ErrorCode.MODEL_TRUNCATED: tr("Model file incomplete"),
        ErrorCode.MODEL_CORRUPT: tr("Model file damaged"),
        ErrorCode.MODEL_HEADER_INVALID: tr("Not a model file"),
        ErrorCode.MODEL_CARD_INVALID: tr("Model card cannot be used"),
        ErrorCode.MODEL_FORMAT_NEWER: tr("Model made by a newer version"),
        ErrorCode.MODEL_TENSORS_MISMATCH: tr("Model weights do not fit their card"),
        ErrorCode.MODEL_WEIGHTS_NOT_FINITE: tr("Model weights are not numbers"),
        ErrorCode.MODEL_OUTPUT_NOT_FINITE: tr("Model gave values that are not numbers"),
        ErrorCode.DEVICE_UNAVAILABLE: tr("Device not available"),
        ErrorCode.OUT_OF_MEMORY: tr("Out of memory"),
        ErrorCode.CLUSTER_UNAVAILABLE: tr("Worker processes not available"),
        ErrorCode.WORKER_LOST: tr("A worker process died"),
        ErrorCode.INTERPRETER_MISSING: tr("Python for the backend not found"),
        ErrorCode.INTERPRETER_UNSUITABLE: tr("Python cannot run the backend"),
        ErrorCode.BACKEND_CRASHED: tr("The backend died"),
        ErrorCode.CANCELLED: tr("Cancelled"),
        ErrorCode.INTERNAL: tr("Unexpected error in the backend"),
    }


def actions() -> dict[ErrorCode, str]:
    """What to do, where QGIS offers another way than the command line's option that the backend names."""
    return {
        ErrorCode.UNIT_AMBIGUOUS: tr("Choose it under “Unit of the pixel values”."),
        ErrorCode.CALIBRATION_MISSING: tr("Enter it under “Calibration constant (dB)”, or calibrate the scene first."),
        ErrorCode.CRS_MISSING: tr("Give the file a coordinate system, or enter its “Pixel spacing (m)” to use it as it is."),
        ErrorCode.SPACING_TOO_COARSE: tr(
            "Use a scene at full resolution, or tick “Take pixels that are too coarse” among the advanced options."
        ),
        ErrorCode.BAND_ABSENT: tr("Choose the bands, add the second raster, or name them under “Bands by role”."),
        ErrorCode.BAND_DUPLICATE: tr("Choose another band for one of them."),
        ErrorCode.BANDS_SWAPPED: tr("Exchange the VV band and the VH band, or choose a scene that holds them."),
        ErrorCode.BOUNDS_OUTSIDE: tr("Choose an extent that touches the raster."),
        ErrorCode.MASK_OUTSIDE: tr("Choose a mask that touches the raster."),
        ErrorCode.RESUME_REFUSED: tr("Repeat the run as it was, or untick “Go on where a stopped run was” to begin anew."),
        ErrorCode.DEVICE_UNAVAILABLE: tr("Set the device to auto or cpu."),
    }


def error_of(failure: JobFailure) -> SardineError:
    """The error that the backend reported; a code of a newer backend counts as unexpected."""
    known = {code.value for code in ErrorCode}
    code = ErrorCode(failure.code) if failure.code in known else ErrorCode.INTERNAL
    return SardineError(code, failure.found, failure.needed, failure.action, refused=failure.refused)


def describe(error: SardineError) -> str:
    """One line for the message bar and the log."""
    heading = headings()[error.code]
    action = actions().get(error.code, error.action)
    details = " ".join(part for part in (error.found, error.needed, action) if part)
    if error.code is ErrorCode.CANCELLED or not details:
        return f"{heading}."
    return f"{heading}: {details}"
