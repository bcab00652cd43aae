# SPDX-License-Identifier: GPL-2.0-or-later
"""The principal components that patch tokens are reduced to: fitted on a sample of a scene, kept with the features made of them.

Features of two scenes can be compared, and a classifier of one used on the other, only if both were made with the same basis. So
a basis goes with the features and with each classifier, as bytes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from ..protocol import ErrorCode, SardineError

MAX_COMPONENTS = 64


@dataclass(frozen=True)
class FeatureBasis:
    """`mean` float32 [embed_dim]; `axes` float32 [components, embed_dim], scaled so that the first component's deviation is 1.

    `explained` is the share of the tokens' variance that the components hold.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    explained: float

    @property
    def components(self) -> int:
        return int(self.axes.shape[0])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.mean.tobytes() + self.axes.tobytes()).hexdigest()

    def to_text(self) -> str:
        """The basis as base64 of a safetensors file, for a tag."""
        arrays = {"mean": self.mean, "axes": self.axes, "explained": np.array([self.explained], np.float32)}
        return base64.b64encode(safetensors.numpy.save(arrays)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> FeatureBasis:
        """Raises ValueError for anything that `to_text` did not make."""
        try:
            arrays = safetensors.numpy.load(base64.b64decode(text, validate=True))
            return cls.from_arrays(arrays["mean"], arrays["axes"], float(arrays["explained"][0]))
        except (safetensors.SafetensorError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"it is no basis of features ({error})") from error

    @classmethod
    def from_arrays(cls, mean: NDArray[np.float32], axes: NDArray[np.float32], explained: float) -> FeatureBasis:
        """Raises ValueError where sizes or values are not those of a basis."""
        fits = mean.ndim == 1 and axes.ndim == 2 and axes.shape[1] == mean.size and 1 <= axes.shape[0] <= MAX_COMPONENTS
        if not fits or mean.dtype != np.float32 or axes.dtype != np.float32:
            raise ValueError("its sizes are not those of a basis of features")
        if not (np.isfinite(mean).all() and np.isfinite(axes).all() and 0 <= explained <= 1.0001):
            raise ValueError("it holds values that are not numbers")
        return cls(mean, axes, explained)


def fit_basis(total: NDArray[np.float64], products: NDArray[np.float64], count: int, components: int) -> FeatureBasis:
    """The basis of `count` tokens of which the sum [embed_dim] and the sum of outer products [embed_dim, embed_dim] are known.

    The sign of an axis is set by its largest entry, so that a second fit gives the same one. Raises SardineError
    (request_invalid) where there are more components than the tokens have numbers.
    """
    if not 1 <= components <= min(MAX_COMPONENTS, total.size):
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"{components} components were asked for.",
            f"From 1 to {min(MAX_COMPONENTS, total.size)} are possible with this model.",
            "Choose 16, for example.",
        )
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:components]
    axes = vectors[:, order].T
    axes *= np.sign(axes[np.arange(components), np.abs(axes).argmax(axis=1)])[:, None]
    deviation = float(np.sqrt(max(values[order[0]], 1e-12)))
    explained = float(np.clip(values[order].sum() / max(values.sum(), 1e-12), 0, 1))
    return FeatureBasis(mean.astype(np.float32), (axes / deviation).astype(np.float32), explained)
