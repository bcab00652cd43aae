# SPDX-License-Identifier: GPL-2.0-or-later
"""A classifier as one `.safetensors` file: arrays, and a card of JSON in its header. Nothing in such a file is ever executed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ..features.basis import FeatureBasis
from ..features.pixels import GROUPS, PATCH_GROUPS
from ..model_card import ClassSpec
from ..protocol import ErrorCode, SardineError
from ..text_output import write_whole
from .classifier import METHODS, Classifier, Linear
from .tree_ensemble import Trees

CARD_KEY = "sardine_classifier"
FORMAT = 1
MAX_BYTES = 200 * 10**6
_TREE_ARRAYS = {
    "starts": np.int64,
    "left": np.int32,
    "right": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "values": np.float32,
}
_LINEAR_ARRAYS = ("mean", "deviation", "weights", "bias")


def save_classifier(path: Path, classifier: Classifier) -> None:
    """Writes `classifier` whole. Raises SardineError: disk_full, output_read_only."""
    basis = classifier.basis
    arrays: dict[str, Any] = {} if basis is None else {"basis.mean": basis.mean, "basis.axes": basis.axes}
    if classifier.trees is not None:
        arrays.update({f"trees.{name}": getattr(classifier.trees, name) for name in _TREE_ARRAYS})
    if classifier.linear is not None:
        arrays.update({f"linear.{name}": getattr(classifier.linear, name) for name in _LINEAR_ARRAYS})
    if classifier.bias is not None:
        arrays["bias"] = classifier.bias
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    card = {
        "format": FORMAT,
        "method": classifier.method,
        "classes": [{"code": item.code, "name": item.name, "colour": item.colour} for item in classifier.classes],
        "features": list(classifier.features),
        "groups": list(classifier.groups),
        "model_sha256": classifier.model_sha256,
        "model_name": classifier.model_name,
        "overlap": classifier.overlap,
        "explained": 0.0 if basis is None else basis.explained,
        "info": dict(classifier.info),
        "arrays_sha256": _hash(arrays),
    }
    write_whole(path, safetensors.numpy.save(arrays, metadata={CARD_KEY: json.dumps(card, ensure_ascii=False)}))


def load_classifier(path: str) -> Classifier:
    """Raises SardineError (classifier_invalid) for anything but a whole file as `save_classifier` writes it."""
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES // 10**6} MB")
        content = Path(path).read_bytes()
        arrays = safetensors.numpy.load(content)
        length = int.from_bytes(content[:8], "little")
        card = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][CARD_KEY])
        if card["format"] != FORMAT:
            raise ValueError(f"its format is {card['format']!r:.20}, and this version reads {FORMAT}")
        if card["arrays_sha256"] != _hash(arrays):
            raise ValueError("its arrays are not those that it was written with (SHA-256 differs)")
        return _classifier(card, arrays)
    except OSError as error:
        raise _invalid(f"The classifier {path} cannot be opened ({error.strerror}).") from error
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it holds no {error}" if isinstance(error, KeyError) else str(error)
        raise _invalid(f"{Path(path).name} is no classifier that can be used: {reason[:200]}.") from error


def _classifier(card: dict[str, Any], arrays: dict[str, Any]) -> Classifier:
    if card["method"] not in METHODS:
        raise ValueError(f"its method is {card['method']!r:.40}")
    classes = tuple(ClassSpec(int(item["code"]), str(item["name"]), str(item["colour"])) for item in card["classes"])
    codes = {item.code for item in classes}
    if len(codes) != len(classes) or not codes <= set(range(1, 255)) or len(classes) < 2:
        raise ValueError("its classes have no codes of their own from 1 to 254")
    if any(len(item.colour) != 7 or int(item.colour[1:], 16) < 0 for item in classes):
        raise ValueError("a class has no #rrggbb colour")
    groups = tuple(str(group) for group in card["groups"])
    if not set(groups) <= set(GROUPS):
        raise ValueError("its groups of features are not known")
    basis = None
    if PATCH_GROUPS & set(groups):
        basis = FeatureBasis.from_arrays(arrays["basis.mean"], arrays["basis.axes"], float(card["explained"]))
    trees = linear = None
    if "trees.starts" in arrays:
        for name, dtype in _TREE_ARRAYS.items():
            if arrays[f"trees.{name}"].dtype != dtype:
                raise ValueError(f"its array trees.{name} is of the wrong type")
        trees = Trees(**{name: arrays[f"trees.{name}"] for name in _TREE_ARRAYS})
    if "linear.mean" in arrays:
        linear = Linear(**{name: arrays[f"linear.{name}"].astype(np.float32) for name in _LINEAR_ARRAYS})
    classifier = Classifier(
        method=card["method"],
        classes=classes,
        features=tuple(str(name) for name in card["features"]),
        groups=groups,
        model_sha256=str(card["model_sha256"]),
        model_name=str(card["model_name"]),
        overlap=float(card["overlap"]),
        basis=basis,
        trees=trees,
        bias=arrays.get("bias"),
        linear=linear,
        info=dict(card["info"]),
    )
    classifier.check()
    return classifier


def _hash(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _invalid(found: str) -> SardineError:
    return SardineError(
        ErrorCode.CLASSIFIER_INVALID,
        found,
        "A file that “classify” has written is needed.",
        "Choose another file, or make the classifier again.",
    )
