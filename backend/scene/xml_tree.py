# SPDX-License-Identifier: GPL-2.0-or-later
"""XML from strangers as a tree of names and texts. Documents that declare a type or an entity are refused.

Entities are what the known attacks on XML readers are made of (expansion without end, files of this computer fetched into the
text); the annotations of Sentinel-1 have none. Attributes are left out: nothing that is read here stands in one.
"""

from __future__ import annotations

import pyexpat
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_DEPTH = 64


class XmlError(Exception):
    """The document is not XML, is not whole, or declares what is refused."""


@dataclass
class Node:
    """An element: its name without namespace, the text directly in it, and its children in order."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, path: str) -> list[Node]:
        """The elements at `path`, names joined by slashes, below this one."""
        name, _, rest = path.partition("/")
        here = [child for child in self.children if child.name == name]
        return here if not rest else [found for child in here for found in child.all(rest)]

    def first(self, path: str) -> Node:
        """The first element at `path`. Raises XmlError where there is none."""
        found = self.all(path)
        if not found:
            raise XmlError(f"“{path}” is missing")
        return found[0]

    def walk(self) -> Iterator[Node]:
        """The element and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse_xml(data: bytes) -> Node:
    """The root element of `data`. Raises XmlError."""
    parser = pyexpat.ParserCreate()
    root = Node("")
    open_nodes = [root]
    parser.buffer_text = True

    def start(name: str, _attributes: dict[str, str]) -> None:
        if len(open_nodes) > MOST_DEPTH:
            raise XmlError("elements are nested too deeply")
        node = Node(name.rpartition(":")[2])
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_name: str) -> None:
        node = open_nodes.pop()
        node.text = node.text.strip()

    def text(value: str) -> None:
        open_nodes[-1].text += value

    def refuse(*_: object) -> int:
        raise XmlError("it declares a document type or entities, which are not read")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        raise XmlError(str(error)) from error
    return root.children[0]
