# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings: every shipped file loads, unknown keys and wrong values are refused with status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.card import draft_card
from training.classes import worldcover_classes
from training.config import ConfigError, ExportConfig, SimulateConfig
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.run import COMMANDS, parse

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "training" / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=[f"{path.parent.name}/{path.stem}" for path in SHIPPED])
def test_shipped_config_should_load(path: Path) -> None:
    command = path.stem.split("_")[0]
    name, config = parse([command, "--config", str(path)])
    assert name == command
    assert isinstance(config, COMMANDS[command][0])
    if isinstance(config, FinetuneConfig):
        card = draft_card(config)
        assert card.from_json(card.to_json()) == card


def test_command_line_should_override_the_file() -> None:
    path = ROOT / "training" / "configs" / "finetune_smoke.yaml"
    _, config = parse(["finetune", "--config", str(path), "--network.depth", "5", "--data.classes", "[10,80]"])
    assert config.network.depth == 5
    assert config.network.embed_dim == 32
    assert config.data.classes == (10, 80)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "--out", "x", "--scenez", "3"], "scenez"),
        (["simulate", "--out", "x", "--scenes", "many"], "scenes"),
        (["simulate", "--out", "x", "--scenes", "0"], "at least 1"),
        (["simulate", "--out", "x", "--radar.lookz", "3"], "lookz"),
        (["simulate"], "out"),
        (["finetune", "--out", "x", "--data.stores", '[{"folder":"y"}]', "--network.patch_px", "7"], "patch_px"),
    ],
)
def test_wrong_settings_should_be_refused_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_unknown_key_in_a_file_should_be_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "simulate.yaml"
    path.write_text("out: x\nradar:\n  loooks: 3\n")
    with pytest.raises(SystemExit) as exit_info:
        parse(["simulate", "--config", str(path)])
    assert exit_info.value.code == 2
    assert "loooks" in capsys.readouterr().err


def test_help_should_show_the_docstrings_of_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(["finetune", "--help"])
    assert exit_info.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Peak learning rate of AdamW" in text
    assert "Side of a patch: 8 or 16" in text


def test_all_problems_should_be_reported_together() -> None:
    with pytest.raises(ConfigError, match=r"patch_px must be 8 or 16.*steps and batch_size"):
        FinetuneConfig(Path("x"), LabelledDataConfig((StoreConfig(Path("y")),)), network=NetworkConfig(patch_px=9), steps=0)
    with pytest.raises(ConfigError, match="landscape"):
        SimulateConfig(Path("x"), landscape="moon")
    with pytest.raises(ConfigError, match=r"safetensors.*dtype"):
        ExportConfig(Path("x"), Path("y.bin"), "name", dtype="int8")


def test_unknown_worldcover_code_should_be_refused() -> None:
    with pytest.raises(ValueError, match="no class"):
        worldcover_classes((10, 11))
