# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md here names a test for each case: none of them may have gone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
NAMED = re.compile(r"(test_\w+/test_\w+\.py)::(test_\w+)")


def test_each_case_of_the_readme_should_have_its_test() -> None:
    cases = [line for line in (TESTS / "README.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| (?!case |---)", line)]
    assert len(cases) > 45
    assert [line for line in cases if not NAMED.search(line)] == []
    named = {pair for line in cases for pair in NAMED.findall(line)}
    assert sorted(pair for pair in named if pair[1] not in functions(TESTS / pair[0])) == []


def functions(path: Path) -> set[str]:
    """Names of the functions at the top of a file; none where there is no such file."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
