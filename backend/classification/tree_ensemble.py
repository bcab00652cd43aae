# SPDX-License-Identifier: GPL-2.0-or-later
"""Decision trees as plain arrays, run by scikit-learn's compiled trees.

A tree from a file is data from strangers: compiled code follows its child numbers without looking. Each array is checked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
MAX_NODES = 2_000_000


@dataclass(frozen=True)
class Trees:
    """All nodes of all trees, one tree after the other: `starts` int64 [trees] is the first node of each.

    `left` and `right` int32 count from the tree's first node and are -1 at a leaf; a child comes after its parent. `feature` int32,
    `threshold` float64: smaller or equal goes left. `values` float32 [nodes, outputs].
    """

    starts: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    values: NDArray[np.float32]

    def check(self, features: int) -> None:
        """Raises ValueError where a node leads out of its tree or asks for a feature that is not there."""
        nodes = self.left.size
        sizes = {self.right.size, self.feature.size, self.threshold.size, self.values.shape[0]}
        if self.values.ndim != 2 or sizes != {nodes} or not 0 < nodes <= MAX_NODES or self.starts.size == 0:
            raise ValueError("the arrays of its trees do not fit together")
        ends = np.append(self.starts[1:], nodes)
        if self.starts[0] != 0 or np.any(ends <= self.starts) or np.any(ends > nodes):
            raise ValueError("its trees do not follow each other")
        lengths = (ends - self.starts).astype(np.int64)
        own = np.arange(nodes) - np.repeat(self.starts, lengths)
        length = np.repeat(lengths, lengths)
        leaf = self.left == -1
        inner = ~leaf
        good_leaf = self.right[leaf] == -1
        children = np.stack([self.left[inner], self.right[inner]])
        good_children = (children > own[inner]) & (children < length[inner])
        good_feature = (self.feature[inner] >= 0) & (self.feature[inner] < features)
        if not (good_leaf.all() and good_children.all() and good_feature.all()):
            raise ValueError("a node of its trees leads nowhere")
        if not (np.isfinite(self.threshold[inner]).all() and np.isfinite(self.values).all()):
            raise ValueError("its trees hold values that are not numbers")

    def compiled(self, features: int) -> list[object]:
        """scikit-learn's own trees, to be run. Call `check` first."""
        from sklearn.tree._tree import NODE_DTYPE, Tree

        outputs = self.values.shape[1]
        ends = np.append(self.starts[1:], self.left.size)
        trees: list[object] = []
        for start, end in zip(self.starts.tolist(), ends.tolist(), strict=True):
            part = slice(start, end)
            nodes = np.zeros(end - start, dtype=NODE_DTYPE)
            nodes["left_child"], nodes["right_child"] = self.left[part], self.right[part]
            nodes["feature"] = np.where(self.left[part] == -1, -2, self.feature[part])
            nodes["threshold"] = self.threshold[part]
            nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = 1
            tree = Tree(features, np.array([outputs], dtype=np.intp), 1)
            values = np.ascontiguousarray(self.values[part], dtype=np.float64)[:, None, :]
            # The one way to a compiled tree that was not grown in this process; it is how scikit-learn itself restores one.
            tree.__setstate__({"max_depth": 1, "node_count": end - start, "nodes": nodes, "values": values})
            trees.append(tree)
        return trees


def gather(trees: Sequence[object], values: Sequence[NDArray[np.float64]]) -> Trees:
    """The arrays of scikit-learn's fitted `trees`, with `values` [nodes, outputs] of each."""
    sizes = [tree.node_count for tree in trees]  # type: ignore[attr-defined]
    return Trees(
        starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        left=np.concatenate([tree.children_left for tree in trees]).astype(np.int32),  # type: ignore[attr-defined]
        right=np.concatenate([tree.children_right for tree in trees]).astype(np.int32),  # type: ignore[attr-defined]
        feature=np.concatenate([tree.feature for tree in trees]).astype(np.int32),  # type: ignore[attr-defined]
        threshold=np.concatenate([tree.threshold for tree in trees]).astype(np.float64),  # type: ignore[attr-defined]
        values=np.concatenate(list(values)).astype(np.float32),
    )
