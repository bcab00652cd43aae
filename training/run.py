# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m training.run COMMAND`: read this first. A command (`COMMANDS` below) is a typed config and a function.

Exit status: 0 done, 2 the settings or their files were refused, 3 failed while running, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from jsonargparse import ArgumentParser, set_parsing_settings

from backend.protocol import SardineError
from training.chips.config import ChipsConfig
from training.config import ConfigError, ExportConfig, InspectConfig, SimulateConfig
from training.evaluate.config import EvaluateConfig
from training.finetuning.config import FinetuneConfig
from training.pretraining.config import PretrainConfig
from training.study.config import StudyConfig

set_parsing_settings(docstring_parse_attribute_docstrings=True)


def _simulate(config: SimulateConfig) -> None:
    from training.simulation.folder import simulate_folder

    simulate_folder(config)


def _chips(config: ChipsConfig) -> None:
    from training.chips.build import make_store

    make_store(config)


def _pretrain(config: PretrainConfig) -> None:
    from training.pretraining.pretrain import pretrain

    pretrain(config)


def _finetune(config: FinetuneConfig) -> None:
    from training.finetuning.finetune import finetune

    finetune(config)


def _export(config: ExportConfig) -> None:
    from training.export import export

    card = export(config)
    rounding = "".join(f", {key.replace('_', ' ')} {value}" for key, value in card.training.get("rounding", {}).items())
    print(f"{config.out}: {config.out.stat().st_size / 1e6:.1f} MB, weights {card.weights_sha256[:12]}{rounding}")


def _evaluate(config: EvaluateConfig) -> None:
    from training.evaluate.command import evaluate
    from training.evaluate.cross_validation import cross_validate

    if config.folds:
        cross_validate(config)
    else:
        evaluate(config)


def _inspect(config: InspectConfig) -> None:
    from training.inspect import inspect

    inspect(config)


def _study(config: StudyConfig) -> None:
    from training.study.study import study

    study(config)


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None]]] = {
    "simulate": (SimulateConfig, _simulate),
    "chips": (ChipsConfig, _chips),
    "pretrain": (PretrainConfig, _pretrain),
    "finetune": (FinetuneConfig, _finetune),
    "export": (ExportConfig, _export),
    "evaluate": (EvaluateConfig, _evaluate),
    "study": (StudyConfig, _study),
    "inspect": (InspectConfig, _inspect),
}


def build_parser() -> ArgumentParser:
    """The command line: each field of the command's config is an option, `--config` reads a YAML file."""
    parser = ArgumentParser(prog="python -m training.run", description="Train SARdine's models.")
    subcommands = parser.add_subcommands()
    for name, (config_type, _) in COMMANDS.items():
        command = ArgumentParser(description=config_type.__doc__)
        command.add_argument("--config", action="config", help="YAML file with any of the settings below.")
        command.add_class_arguments(config_type, fail_untyped=True)
        subcommands.add_subcommand(name, command)
    return parser


def parse(arguments: Sequence[str]) -> tuple[str, Any]:
    """The command's name and its config. Unknown keys and wrong types end the process with status 2 and say what is wrong."""
    parser = build_parser()
    parsed = parser.parse_args(list(arguments))
    name = str(parsed.subcommand)
    # `instantiate_classes` until jsonargparse 4.48, `instantiate` since.
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    settings = vars(instantiate(parsed)[name])
    settings.pop("config", None)
    try:
        return name, COMMANDS[name][0](**settings)
    except ConfigError as error:
        parser.error(str(error))
        raise  # never reached: error() ends the process


def main(arguments: Sequence[str] | None = None) -> int:
    name, config = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        COMMANDS[name][1](config)
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    except SardineError as error:
        print(f"{'refused' if error.refused else 'failed'}: {error}", file=sys.stderr)
        return 2 if error.refused else 3
    except (OSError, ArithmeticError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
