# SPDX-License-Identifier: GPL-2.0-or-later
"""The study's tables."""

from __future__ import annotations

import numpy as np

from training.classes import worldcover_classes
from training.study.probes import (
    ATTENTION,
    ATTENTION_DB,
    CLASSIFIERS,
    DB,
    FEATURE_SETS,
    TOKENS,
    TOKENS_ATTENTION,
    TOKENS_PCA,
)
from training.study.results import (
    ABOVE_CHANCE,
    ACCURACY,
    CHANCE,
    MEAN_IOU,
    OVERLAP,
    PRETRAINED,
    PROBE_FIGURES,
    RANDOM,
    RATIO,
    REAL,
    SCRATCH,
    TUNED_AT,
    Results,
    fraction_name,
    tuning_runs,
)
from training.study.table import SCORED_ON, Table, with_interval
from training.study.variant_tables import variant_tables

BEGINNING_NAMES = {PRETRAINED: "pre-trained", SCRATCH: "from scratch"}
SET_NAMES = {
    ATTENTION: "(a) attention",
    TOKENS: "(b) tokens",
    TOKENS_PCA: "(c) tokens, PCA to the width of (a)",
    DB: "(d) dB, mean and deviation",
    ATTENTION_DB: "(e) attention + dB",
    TOKENS_ATTENTION: "(f) tokens + attention",
}
SET_PAIRS = (
    ("attention + dB less dB", ATTENTION_DB, DB),
    ("attention less dB", ATTENTION, DB),
    ("attention less tokens of its width", ATTENTION, TOKENS_PCA),
    ("tokens less dB", TOKENS, DB),
    ("tokens + attention less tokens", TOKENS_ATTENTION, TOKENS),
)


def tables_of(results: Results) -> list[tuple[str, list[Table]]]:
    """Sections with their tables."""
    sections = [
        ("1. Linear probe on patch tokens", probe_tables(results)),
        ("2. Attention maps of single heads, and of all blocks", [*head_tables(results), *rollout_tables(results)]),
        ("3. Attention against tokens against dB", set_tables(results)),
        ("4. Embedding space", [embedding_table(results), position_table(results)]),
    ]
    if results.config.finetune_steps:
        sections.append(("5. Fine-tuning the whole network", finetune_tables(results)))
    if results.variants:
        sections.append(("6. Variants of the pre-training", variant_tables(results)))
    return sections


def probe_tables(results: Results) -> list[Table]:
    header = ("chips", "patches", "figure", "pre-trained", "random", "difference")
    found = []
    for scored in results.scored_on():
        rows = []
        for fraction in results.config.fractions:
            cell = results.cells[fraction_name(PRETRAINED, results.config.seeds[0], fraction)]
            first, second = (results.fraction_runs(arm, fraction, scored) for arm in (PRETRAINED, RANDOM))
            amounts = (f"{cell['chips']:,} ({fraction * 100:g}%)", f"{cell['patches']:,}")
            rows += _compared(results, first, second, amounts)
        note = (
            "Logistic regression, learnt on simulated chips, scored on "
            + SCORED_ON[scored]
            + f". At most {results.config.max_patches:,} patches a fit: more chips then mean more variety alone."
        )
        found.append(Table(f"Learnt on simulated chips, scored on {SCORED_ON[scored]}", note, header, tuple(rows)))
    if results.with_real:
        rows = _compared(results, results.real_runs(PRETRAINED), results.real_runs(RANDOM), ("all", ""))
        note = f"The same probe, learnt on real labels of other places in {results.config.real_folds} folds by place."
        found.append(Table("Learnt on real places, scored on other real places", note, header, tuple(rows)))
    return found


def _compared(results: Results, first: list, second: list, start: tuple[str, ...]) -> list[tuple[str, ...]]:  # type: ignore[type-arg]
    return [
        (
            *(start if definition == PROBE_FIGURES[0] else ("",) * len(start)),
            definition.name,
            with_interval(results.figure(definition, first)),
            with_interval(results.figure(definition, second)),
            with_interval(results.difference(definition, first, second)),
        )
        for definition in PROBE_FIGURES
    ]


def head_tables(results: Results) -> list[Table]:
    found = []
    for scored in results.scored_on():
        for last_block in (True, False):
            where = "the last block" if last_block else "any block"
            rows = [_head_row(results, number, last_block, scored) for number in range(len(results.config.classes))]
            note = (
                f"IoU of the patches that hold 60% of a head's attention with the class, in crops of {SCORED_ON[scored]} that "
                "show it; the head is the best on simulated validation chips. Chance is what a mask of the same size would get "
                "anywhere: even attention makes large masks, and these overlap much."
            )
            header = ("class", "head (block.head)", "pre-trained", "chance", "random", "chance", "difference above chance")
            found.append(Table(f"Best head of {where}, {SCORED_ON[scored]}", note, header, tuple(rows)))
    return found


def _head_row(results: Results, number: int, last_block: bool, scored: str) -> tuple[str, ...]:
    name = worldcover_classes(results.config.classes)[number].name
    [chosen] = results.heads(PRETRAINED, number, last_block)
    first, second = (results.head_runs(arm, number, last_block, scored) for arm in (PRETRAINED, RANDOM))
    if chosen is None or not second or not sum(part.union for part in first[0]):
        return (name, *("–",) * 6)
    return (
        name,
        f"{chosen[0] + 1}.{chosen[1] + 1}",
        with_interval(results.figure(OVERLAP, first)),
        f"{CHANCE.statistic(first[0]):.3f}",
        with_interval(results.figure(OVERLAP, second)),
        f"{np.mean([CHANCE.statistic(run) for run in second]):.3f}",
        with_interval(results.difference(ABOVE_CHANCE, first, second)),
    )


def rollout_tables(results: Results) -> list[Table]:
    found = []
    for scored in results.scored_on():
        rows = [_rollout_row(results, number, scored) for number in range(len(results.config.classes))]
        note = (
            "Abnar and Zuidema 2020 (arXiv 2005.00928): attention of all heads and blocks multiplied through. One map an encoder, "
            "so that nothing is chosen; otherwise as the heads' tables. The last column is rollout less the best head of any "
            "block, both of the pre-trained encoder and above their chance."
        )
        header = ("class", "pre-trained", "chance", "random", "chance", "difference above chance", "less the best head")
        found.append(Table(f"Attention rollout, {SCORED_ON[scored]}", note, header, tuple(rows)))
    return found


def _rollout_row(results: Results, number: int, scored: str) -> tuple[str, ...]:
    name = worldcover_classes(results.config.classes)[number].name
    first, second = (results.rollout_runs(arm, number, scored) for arm in (PRETRAINED, RANDOM))
    if not sum(part.union for part in first[0]):
        return (name, *("–",) * 6)
    head = results.head_runs(PRETRAINED, number, False, scored)
    return (
        name,
        with_interval(results.figure(OVERLAP, first)),
        f"{CHANCE.statistic(first[0]):.3f}",
        with_interval(results.figure(OVERLAP, second)),
        f"{np.mean([CHANCE.statistic(run) for run in second]):.3f}",
        with_interval(results.difference(ABOVE_CHANCE, first, second)),
        with_interval(results.difference(ABOVE_CHANCE, first, head)) if head else "–",
    )


def set_tables(results: Results) -> list[Table]:
    found = []
    for scored in results.scored_on():
        rows = []
        for features in FEATURE_SETS:
            cells = []
            for classifier in CLASSIFIERS:
                first, second = (results.set_runs(features, classifier, arm, scored) for arm in (PRETRAINED, RANDOM))
                cells += [
                    with_interval(results.figure(MEAN_IOU, first)),
                    "" if features == DB else with_interval(results.figure(MEAN_IOU, second)),
                ]
            rows.append((SET_NAMES[features], *cells))
        header = (
            "features of a patch",
            *(f"{classifier}, {arm}" for classifier in CLASSIFIERS for arm in ("pre-trained", "random")),
        )
        note = (
            f"Mean IoU; learnt on {results.config.set_patches:,} patches of simulated chips. (d) is the same whatever the encoder."
        )
        found.append(Table(f"Six feature sets, {SCORED_ON[scored]}", note, header, tuple(rows)))
        found.append(_pairs_table(results, scored))
    return found


def _pairs_table(results: Results, scored: str) -> Table:
    rows = []
    for classifier in CLASSIFIERS:
        for label, first, second in SET_PAIRS:
            runs = [results.set_runs(features, classifier, PRETRAINED, scored) for features in (first, second)]
            rows.append((classifier, label, *(with_interval(results.difference(d, *runs)) for d in (MEAN_IOU, ACCURACY))))
        for features in (ATTENTION, TOKENS, ATTENTION_DB):
            runs = [results.set_runs(features, classifier, arm, scored) for arm in (PRETRAINED, RANDOM)]
            label = f"{SET_NAMES[features]}: pre-trained less random"
            rows.append((classifier, label, *(with_interval(results.difference(d, *runs)) for d in (MEAN_IOU, ACCURACY))))
    note = "Paired differences; the pre-trained encoder where not said otherwise."
    return Table(
        f"Differences between feature sets, {SCORED_ON[scored]}", note, ("classifier", "", "mean IoU", "accuracy"), tuple(rows)
    )


def embedding_table(results: Results) -> Table:
    rows = []
    for name in results.sum_names():
        first, second = (results.sum_runs(arm, name) for arm in (PRETRAINED, RANDOM))
        count = int(sum(part.below for part in first[0]))
        value = RATIO.statistic(first[0])
        error = f"{(value * (1 - value) / count) ** 0.5:.4f}" if "accuracy" in name else ""
        differs = "commonest" not in name
        rows.append(
            (
                name,
                f"{count:,} of {len(first[0])}",
                with_interval(results.figure(RATIO, first)),
                error,
                with_interval(results.figure(RATIO, second)) if differs else "",
                with_interval(results.difference(RATIO, first, second)) if differs else "",
            )
        )
    bank = results.encoder_cells("embedding", PRETRAINED)[0]["bank"]
    note = (
        f"Class tokens of crops. k-NN: 20 neighbours by cosine among {bank:,} labelled simulated training crops, the class that "
        "covers most of a crop. The standard error is that of independent crops, the intervals are of places. Tokens are outlying "
        "above twice the median length."
    )
    header = ("figure", "crops or tokens of places", "pre-trained", "standard error", "random", "difference")
    return Table("Neighbours, clusters, artefacts", note, header, tuple(rows))


def position_table(results: Results) -> Table:
    rows = []
    for scored in results.scored_on():
        cell = results.encoder_cells("position", PRETRAINED)[0][scored]
        first, second = (results.position_runs(arm, scored) for arm in (PRETRAINED, RANDOM))
        rows.append(
            (
                SCORED_ON[scored],
                f"{cell['crops']:,}",
                f"{cell['tokens']:,}",
                with_interval(results.figure(RATIO, first)),
                with_interval(results.figure(RATIO, second)),
                with_interval(results.difference(RATIO, first, second)),
                f"{1 / cell['crops']:.4f}",
            )
        )
    note = (
        "Share of the variance of patch tokens that their position in the crop explains: R squared of the means of each position "
        "over crops. Draws of places are about these means. By chance it is about one over the number of crops, and "
        "more where crops of one place are alike: random encoders tell how much."
    )
    header = ("crops of", "crops", "tokens", "pre-trained", "random", "difference", "by chance")
    return Table("Position in the crop", note, header, tuple(rows))


def finetune_tables(results: Results) -> list[Table]:
    config = results.config
    header = ("chips", "figure", "pre-trained", "from scratch", "difference")
    found = []
    for scored in results.scored_on():
        rows = []
        for fraction in config.finetune_fractions:
            first, second = (results.finetune_runs(arm, fraction, scored) for arm in (PRETRAINED, SCRATCH))
            chips = results.cells[results.finetune_names(PRETRAINED, fraction)[0]]["chips"]
            rows += _compared(results, first, second, (f"{chips:,} ({fraction * 100:g}%)",))
        note = (
            f"Encoder and decoder, {config.finetune_steps:,} steps of {config.finetune_batch} crops of {config.finetune_crop_px} "
            f"px of simulated chips; scored on the pixels of {SCORED_ON[scored]}, in the crops of {config.crop_px} px of the other "
            "sections. Beginnings of one seed have the same chips, crops and new decoder. The shares are drawn otherwise than the "
            "probes', and pixels are not patches: compare the columns, not the sections."
        )
        found.append(Table(f"Pre-trained or from scratch, {SCORED_ON[scored]}", note, header, tuple(rows)))
    if results.with_real_finetuning():
        found.append(_real_labels_table(results))
    return [*found, _rates_table(results)]


def _real_labels_table(results: Results) -> Table:
    config, folds = results.config, results.config.finetune_real_folds
    rows = []
    for fraction in config.finetune_fractions:
        cell = results.cells[results.finetune_names(PRETRAINED, fraction, folds)[0]]
        without, with_real = (
            [results.finetune_runs(arm, fraction, REAL, number) for arm in (PRETRAINED, SCRATCH)] for number in (0, folds)
        )
        for definition in PROBE_FIGURES:
            chips = f"{cell['chips']:,} ({fraction * 100:g}%) and {cell['real_chips']:,} real"
            cells = []
            for learnt, did_not in zip(with_real, without, strict=True):
                cells.append(with_interval(results.figure(definition, learnt)))
                cells.append(with_interval(results.difference(definition, learnt, did_not)))
            between = with_interval(results.difference(definition, *with_real))
            rows.append((chips if definition == PROBE_FIGURES[0] else "", definition.name, *cells, between))
    note = (
        "As above, but half of the crops are of real chips, all labelled training chips of other places: "
        f"{folds} folds by place, so that each place is scored by a network that saw no label of it. The numbers of chips are "
        "means over the folds. Networks without real labels are those of the table above, on the same chips. As many steps: fewer "
        "of the crops are simulated."
    )
    less = "less without real labels"
    header = ("chips", "figure", "pre-trained", less, "from scratch", less, "pre-trained less from scratch")
    return Table("With real labels of other places, real chips", note, header, tuple(rows))


def _rates_table(results: Results) -> Table:
    rows = []
    for run in tuning_runs(results.config):
        validation = results.cells[run.name(results.config)]["validation"]
        iou = validation["mean_iou"]
        chosen = "chosen" if run.rate == results.rate(run.arm) else ""
        rows.append((BEGINNING_NAMES[run.arm], f"{run.rate:g}", "–" if iou is None else f"{iou:.3f}", chosen))
    note = (
        f"Mean IoU on {validation['chips']:,} simulated validation chips at {TUNED_AT:.0%} of the training chips, seed "
        f"{results.config.seeds[0]}. Chosen once for each beginning; test and real chips had no part in it."
    )
    return Table("Learning rates of the fine-tuning", note, ("beginning", "learning rate", "mean IoU", ""), tuple(rows))
