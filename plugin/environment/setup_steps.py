# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of a set-up in their order. Each is composed when its turn comes, for it depends on what those before installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..translation import tr
from . import folder as folders
from . import pip_output
from .builds import package_arguments, torch_arguments
from .plan import SetupPlan, pip_options

VENV_PERCENT = 1
PIP_PERCENTS, TORCH_PERCENTS, PACKAGES_PERCENTS = (5, 7), (7, 75), (75, 94)
CHECK_PERCENT, FINISH_PERCENT = 95, 98
"""Where in the bar each step lies, about as long as it takes on a line of 100 Mbit/s."""

TORCH_SHARE, OTHERS_SHARE, LEAST_OTHERS_MB = 0.8, 0.2, 150
"""Of a build's download: torch with what it brings, and all other packages."""


@dataclass(frozen=True)
class Step:
    """`python -m arguments`. `text` is shown until pip says more; pip fetches about `download_mb`, 0 where no pip runs."""

    python: str
    arguments: list[str]
    percents: tuple[int, int]
    text: str = ""
    download_mb: float = 0.0
    index: str | None = None


def steps(plan: SetupPlan) -> list[Callable[[SetupPlan], Step]]:
    """What is to be done one after the other. The step functions raise OSError."""
    return [make_venv, *([] if plan.wheels else [renew_pip]), get_torch, get_packages]


def make_venv(plan: SetupPlan) -> Step:
    """An environment of the chosen Python."""
    text = tr("Making an environment from Python {version}").format(version=plan.base.version_text)
    return Step(plan.base.path, ["venv", str(plan.path)], (VENV_PERCENT, VENV_PERCENT), text)


def renew_pip(plan: SetupPlan) -> Step:
    """A pip that tells its progress; the one that comes with Python may be years old."""
    return Step(_python(plan), pip_options(plan).install(None, ["--upgrade", "pip"]), PIP_PERCENTS, download_mb=1)


def get_torch(plan: SetupPlan) -> Step:
    """Torch and torchvision from the index of the chosen build."""
    arguments = torch_arguments(plan.build, pip_options(plan), plan.requirements)
    size_mb = TORCH_SHARE * plan.build.download_mb
    return Step(_python(plan), arguments, TORCH_PERCENTS, download_mb=size_mb, index=plan.build.index)


def get_packages(plan: SetupPlan) -> Step:
    """All other packages, with torch and torchvision held at what was installed."""
    constraints = folders.work_folder(plan.path) / "constraints.txt"
    pins = pip_output.pinned(folders.distributions(plan.path), ("torch", "torchvision"))
    constraints.write_text("\n".join([*pins, ""]), encoding="utf-8")
    size_mb = max(LEAST_OTHERS_MB, OTHERS_SHARE * plan.build.download_mb)
    return Step(
        _python(plan),
        package_arguments(pip_options(plan), plan.requirements, constraints),
        PACKAGES_PERCENTS,
        download_mb=size_mb,
    )


def _python(plan: SetupPlan) -> str:
    return str(folders.python_in(plan.path))
