# SPDX-License-Identifier: GPL-2.0-or-later
"""Which function answers which request. Each is imported when it is asked for: most need neither torch nor a model."""

from __future__ import annotations

from collections.abc import Callable

from .protocol import (
    AccuracyRequest,
    ApplyClassifierRequest,
    BatchRequest,
    ClassifySamplesRequest,
    CompositeRequest,
    FeaturesRequest,
    FromChild,
    JobRequest,
    Request,
    Result,
    SimilarityRequest,
    StratifiedSampleRequest,
)

Report = Callable[[FromChild], None]
Cancelled = Callable[[], bool]


def run_request(request: Request, report: Report, cancelled: Cancelled) -> Result:
    """Does what `request` asks; raises SardineError as the task does."""
    if isinstance(request, JobRequest):
        from .job import run_job

        return run_job(request, report, cancelled)
    if isinstance(request, BatchRequest):
        from .batch.run import run_batch

        return run_batch(request, report, cancelled)
    if isinstance(request, CompositeRequest):
        from .composite.run import run_composite

        return run_composite(request, report, cancelled)
    if isinstance(request, AccuracyRequest):
        from .accuracy.assess import run_accuracy

        return run_accuracy(request, report, cancelled)
    if isinstance(request, StratifiedSampleRequest):
        from .accuracy.stratified_sample import run_stratified_sample

        return run_stratified_sample(request, report, cancelled)
    if isinstance(request, FeaturesRequest):
        from .features.extract import run_features

        return run_features(request, report, cancelled)
    if isinstance(request, ClassifySamplesRequest):
        from .classification.classify_samples import run_classify_samples

        return run_classify_samples(request, report, cancelled)
    if isinstance(request, ApplyClassifierRequest):
        from .classification.classify_samples import run_apply_classifier

        return run_apply_classifier(request, report, cancelled)
    if isinstance(request, SimilarityRequest):
        from .features.similarity import run_similarity

        return run_similarity(request, report, cancelled)
    raise TypeError(f"no task for {type(request).__name__}")
