# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a set-up has come, in words and percent, from what its steps and their pip tell."""

from __future__ import annotations

from collections.abc import Callable

from .pip_output import PipProgress, installed_packages

DOWNLOAD_SHARE = 0.7
"""Of a pip command's part of the bar. On a line of 100 Mbit/s torch takes minutes to fetch and about one to write."""


class SetupProgress:
    """Calls `changed` where `text` or `percent` has become another."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.text = ""
        self.percent = 0
        self.is_frozen = False
        self._changed = changed
        self._pip = PipProgress()
        self._download_mb = 1.0
        self._range = (0, 0)

    def tell(self, text: str, percent: int | None = None) -> None:
        """Sets the words, and the percent where it is given."""
        percent = self.percent if percent is None else percent
        if (text, percent) != (self.text, self.percent):
            self.text, self.percent = text, percent
            self._changed()

    def begin_pip(self, download_mb: float, percents: tuple[int, int]) -> None:
        """A pip command begins that fetches about `download_mb` and has this part of the bar."""
        self._pip, self._download_mb, self._range = PipProgress(), download_mb, percents

    def feed(self, line: str, distributions: Callable[[], list[str]]) -> None:
        """Takes a line that pip printed; `distributions` lists the site-packages folder."""
        self._pip.feed(line)
        if self._pip.to_install:
            self.follow(distributions)
        elif self._pip.text and not self.is_frozen:
            share = min(1.0, self._pip.downloaded_mb / self._download_mb)
            self.tell(self._pip.text, self._between(DOWNLOAD_SHARE * share))

    def follow(self, distributions: Callable[[], list[str]]) -> None:
        """Looks which package pip is writing."""
        if self._pip.to_install and not self.is_frozen:
            installed = installed_packages(distributions())
            share = sum(name in installed for name in self._pip.to_install) / len(self._pip.to_install)
            self.tell(self._pip.installing_text(installed), self._between(DOWNLOAD_SHARE + (1 - DOWNLOAD_SHARE) * share))

    def _between(self, share: float) -> int:
        first, last = self._range
        return int(first + share * (last - first))
