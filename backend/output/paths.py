# SPDX-License-Identifier: GPL-2.0-or-later
"""Can the outputs be written where they are asked for? Answered before any raster is opened, by trying, not by asking:
permission bits say little about network drives, access lists and root.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..protocol import ErrorCode, SardineError

SUFFIXES = (".tif", ".tiff")
FORMATS = {
    ".tif": "a GeoTIFF",
    ".html": "an HTML file",
    ".csv": "a CSV file",
    ".geojson": "a GeoJSON file",
    ".safetensors": "a classifier",
}
"""What an output of a kind is called, by the first of its suffixes."""


def part_path(target: Path) -> Path:
    """Where `target` is written until it is whole: beside it, so that the rename stays within one disk."""
    return target.with_name(target.name + ".part")


def spill_path(target: Path, what: str = "") -> Path:
    """Where rows of `target` wait that cannot be finished yet; `what` tells them apart where there are several kinds."""
    return target.with_name(f"{target.name}.part{what and '.'}{what}.rows")


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Removes what a killed run left of `targets`: their `.part` files and what lies beside those."""
    for target in targets:
        real = Path(os.path.realpath(target))
        for left in real.parent.glob(f"{glob.escape(real.name)}.part*"):
            with contextlib.suppress(OSError):  # in use by a run that began meanwhile, or locked: the next run replaces it
                left.unlink()


def journal_path(target: Path) -> Path:
    """Where a run whose first output is `target` keeps what a later run needs to go on."""
    return target.with_name(target.name + ".part.json")


def check_output_paths(
    outputs: Mapping[str, str], inputs: Iterable[str], *, overwrite: bool, suffixes: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, Path]:
    """Absolute target of each output, links resolved (a link keeps pointing at the file that is written).

    `suffixes` are those of outputs that are not GeoTIFFs, by output name; the first must be a key of FORMATS.

    `inputs` are band sources as GDAL opens them, model and mask. A `.part` of a killed run stays until the writer replaces it.
    Raises SardineError: output_unsuitable, output_folder_missing, output_is_input, output_exists, output_read_only.
    """
    targets = {name: _target(path, (suffixes or {}).get(name, SUFFIXES)) for name, path in outputs.items()}
    sources = [file for text in inputs for file in files_in(text)]
    for target in targets.values():
        _check_not_input(target, sources)
    _check_apart(list(targets.values()))
    for target in targets.values():
        if target.exists() and not overwrite:
            raise SardineError(
                ErrorCode.OUTPUT_EXISTS,
                f"{target} exists already.",
                "Without leave to overwrite, nothing is replaced.",
                "Choose another name, or allow overwriting (--overwrite).",
            )
    for target in targets.values():
        _try_to_write(target)
    return targets


def _target(text: str, suffixes: tuple[str, ...]) -> Path:
    path = Path(os.path.realpath(text))
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        raise SardineError(
            ErrorCode.OUTPUT_UNSUITABLE,
            f"The name {os.fspath(path)!a} holds bytes that are no letters.",
            "A name in UTF-8 is needed.",
            "Choose another name or folder.",
        )
    if path.suffix.lower() not in suffixes:
        raise SardineError(
            ErrorCode.OUTPUT_UNSUITABLE,
            f"The output {text} is not named as {FORMATS[suffixes[0]]}.",
            f"A name that ends in {' or '.join(suffixes)} is needed.",
            "Change the name.",
        )
    if path.exists() and not path.is_file():
        raise SardineError(
            ErrorCode.OUTPUT_UNSUITABLE,
            f"The output {text} is a folder or device.",
            "The name of a file is needed.",
            "Choose another name.",
        )
    if not path.parent.is_dir():
        raise SardineError(
            ErrorCode.OUTPUT_FOLDER_MISSING,
            f"The folder {path.parent} does not exist.",
            "Outputs go into an existing folder.",
            "Make the folder, or choose another.",
        )
    return path


def _check_not_input(target: Path, sources: list[Path]) -> None:
    product = next((folder for folder in target.parents if (folder / "manifest.safe").is_file()), None)
    if product is not None:
        raise SardineError(
            ErrorCode.OUTPUT_IS_INPUT,
            f"The output {target} lies inside the product {product.name}.",
            "Products as they were downloaded are never changed.",
            "Choose another folder for the output.",
        )
    for source in sources:
        if _same_file(target, source) or _same_file(part_path(target), source):
            raise SardineError(
                ErrorCode.OUTPUT_IS_INPUT,
                f"The output {target} would replace the input {source}.",
                "Inputs are never changed.",
                "Choose another name for the output.",
            )


def _check_apart(targets: list[Path]) -> None:
    for index, target in enumerate(targets):
        for other in targets[:index]:
            if _same_file(target, other):
                raise SardineError(
                    ErrorCode.OUTPUT_UNSUITABLE,
                    f"Two outputs have the same file {target}.",
                    "Each output needs a file of its own.",
                    "Choose another name for one of them.",
                )


def _same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)  # also through links and on disks that ignore case
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def files_in(source: str) -> list[Path]:
    """The existing files that a GDAL source names: a path, `/vsizip/a.zip/b.tif`, `NETCDF:"a.nc":vh` and the like.

    Each run of pieces between colons is tried, for paths may hold colons too; of each the folders above, for archives.
    """
    pieces = source.split(":")
    runs = {":".join(pieces[i:j]) for i in range(len(pieces)) for j in range(i + 1, len(pieces) + 1)}
    paths = [Path(re.sub(r"^(/vsi[a-z0-9_]+/)+", "", run.strip('"'))) for run in runs]
    return [candidate for path in paths for candidate in (path, *path.parents) if _is_file(candidate)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte: no file
        return False


def _try_to_write(target: Path) -> None:
    part = part_path(target)
    try:
        # A `.part` that is there may be another run's, and this run may yet be refused: the writer removes it, not we.
        for path in (part, target):
            if path.exists():
                with path.open("r+b"):
                    pass
        if not part.exists():
            with part.open("xb"):
                pass
            part.unlink()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SardineError(
                ErrorCode.DISK_FULL,
                f"The disk of {target.parent} is full ({error.strerror}).",
                "Room for the outputs is needed.",
                "Free some, or choose another folder.",
            ) from error
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            raise SardineError(
                ErrorCode.OUTPUT_UNSUITABLE,
                f"The name {target.name} cannot be used ({error.strerror}).",
                "A file name that this disk takes, with room for “.part”, is needed.",
                "Choose another name.",
            ) from error
        raise SardineError(
            ErrorCode.OUTPUT_READ_ONLY,
            f"{target} cannot be written ({error.strerror}).",
            "A folder with leave to write is needed.",
            "Choose another folder, or change its permissions.",
        ) from error
