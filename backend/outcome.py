# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a run as a message: whatever was raised becomes a `JobFailure`."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from .protocol import ErrorCode, JobFailure, SardineError


def outcome_of(run: Callable[[], Any]) -> Any:
    """What `run` returns, or the JobFailure that tells why it did not; a traceback goes into its detail alone."""
    try:
        return run()
    except SardineError as error:
        return JobFailure.from_error(error, detail=_cause(error))
    except MemoryError:
        found, action = "The computer ran out of memory.", "Close other programs, or map a smaller area."
        return JobFailure(ErrorCode.OUT_OF_MEMORY.value, found, "", action, detail=traceback.format_exc())
    except ImportError as error:
        return JobFailure(
            ErrorCode.INTERPRETER_UNSUITABLE.value,
            f"This Python cannot load the backend ({error}).",
            "It needs torch, timm, rasterio, numpy, safetensors, scipy, scikit-learn, distributed and cryptography.",
            "Install what requirements/backend.txt lists, or choose another interpreter.",
            refused=True,
            detail=traceback.format_exc(),
        )
    except KeyboardInterrupt:
        return JobFailure(ErrorCode.CANCELLED.value, "The run was cancelled.", "", "Nothing was written.")
    except Exception as error:  # the last line of defence: what is unforeseen still ends as a message
        found = f"Something unforeseen happened ({type(error).__name__}: {error})."
        return JobFailure(ErrorCode.INTERNAL.value, found, "", "Please report it with the details.", detail=traceback.format_exc())


def _cause(error: SardineError) -> str:
    return "".join(traceback.format_exception(error.__cause__)) if error.__cause__ is not None else ""
