"""Finds a SavedModel in an archive and unpacks it. Needs the standard library only."""

from __future__ import annotations

import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from crmnet.data import damage

GRAPH = "saved_model.pb"
INDEX = "variables/variables.index"
# The same file where all files lie in one folder, as in a record of Zenodo, which has no folders.
FLAT_INDEX = "variables.index"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
NESTED = 2
SHOWN = 20
# What an archive may hold, in bytes: this much, and more in proportion to its own size. Weights
# hardly shrink when they are packed, but an archive of zeros can be a thousand times its size.
ALLOWED_BYTES = 1 << 30
ALLOWED_RATIO = 20

_MEMBER = "set `released: <medium>: member` to a glob that matches one of them"
_BY_HAND = "unpack it by hand, and name the folder as `released: <medium>: file`"
_AGAIN = "delete it, and download or copy it again"


def find(archive: Path, member: str | None, folder: Path) -> Path:
    """Unpacks the one SavedModel in an archive, and returns its folder.

    Archives inside the archive are unpacked too, in order to search them; nothing else is.

    Args:
        archive: a ZIP or tar archive, which may contain others (`NESTED` levels of them); or a
            folder, from which nothing is copied.
        member: a glob that matches the path of the SavedModel's folder inside the archive, if there
            are several. The name of an archive within the archive is part of that path.
        folder: an empty folder to unpack to.

    Raises:
        ValueError: the archive cannot be read, or contains a link, a device, a path outside of it,
            two files of one path or a file far larger than itself; or there is not exactly one
            SavedModel that matches.
    """
    if archive.is_dir():
        files = (path for path in archive.rglob("*") if path.is_file())
        return archive / _chosen(
            (PurePosixPath(f.relative_to(archive).as_posix()) for f in files), member, archive
        )
    with _readable(archive):
        files = _files(archive, str(archive), folder, NESTED)
        chosen = _chosen(files, member, archive)
        target = folder / "unpacked" / chosen
        _unpack(files, chosen, target)
    return target


def held(archive: Path) -> list[PurePosixPath]:
    """Returns the paths of the SavedModels in a ZIP or tar archive and in archives within it.

    Raises:
        ValueError: see `find`.
    """
    with tempfile.TemporaryDirectory() as folder, _readable(archive):
        return _models(_files(archive, str(archive), Path(folder), NESTED))


def may_hold(names: Iterable[str]) -> bool:
    """Tells whether an archive with files of these names has a SavedModel, or another archive,
    which may have one."""
    paths = [path for path in map(_path, names) if not _of_macos(path)]
    return bool(_models(paths)) or any(is_archive(path.name) for path in paths)


def is_archive(name: str) -> bool:
    """Tells by its name whether a file is an archive that can be unpacked."""
    return name.lower().endswith(ARCHIVES)


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turns the errors of an archive that cannot be read into a ValueError."""
    try:
        yield
    except damage.ARCHIVE as error:
        raise ValueError(
            f"{archive}: the archive or one inside it is damaged or cut short ({error}); {_AGAIN}"
        ) from error
    except RuntimeError as error:  # zipfile raises it for a file that it cannot unpack
        raise ValueError(f"{archive}: cannot be unpacked ({error}); {_BY_HAND}") from error


def _models(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    paths = {*paths}
    return sorted(
        path.parent
        for path in paths
        if path.name == GRAPH and {path.parent / INDEX, path.parent / FLAT_INDEX} & paths
    )


def _chosen(paths: Iterable[PurePosixPath], member: str | None, archive: Path) -> PurePosixPath:
    paths = {*paths}
    models = _models(paths)
    chosen = [model for model in models if member is None or fnmatchcase(str(model), member)]
    if len(chosen) == 1:
        return chosen[0]
    if not models:
        raise ValueError(
            f"{archive}: contains no SavedModel (a folder with {GRAPH} and {INDEX}), only "
            f"{_some(paths)}; name another archive or a folder as `released: <medium>: file`"
        )
    if not chosen:
        raise ValueError(
            f"{archive}: `member: {member}` matches none of its SavedModels, which are "
            f"{_some(models)}; {_MEMBER}"
        )
    raise ValueError(f"{archive}: contains several SavedModels, {_some(chosen)}; {_MEMBER}")


def _some(paths: Iterable[PurePosixPath]) -> str:
    paths = sorted(map(str, paths))
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return (", ".join(paths[:SHOWN]) or "nothing") + more


def _files(
    container: Path, label: str, folder: Path, depth: int
) -> dict[PurePosixPath, tuple[Path, PurePosixPath]]:
    """Returns the path of each file, including files of archives in the archive -> the archive on
    disk and the path in it."""
    places, seen = {}, set()
    for path, read in _members(container, label):
        if _of_macos(path):
            continue
        if path in seen:
            raise ValueError(f"{label}: has two files of the path {path}; {_BY_HAND}")
        seen.add(path)
        if depth and is_archive(path.name):
            inner = Path(tempfile.mkdtemp(dir=folder), path.name)
            _copy(read, inner, container)
            nested = _files(inner, f"{label}: {path}", folder, depth - 1)
            places |= {path / below: place for below, place in nested.items()}
        else:
            places[path] = container, path
    return places


def _path(name: str) -> PurePosixPath:
    """Returns the path of a file in an archive, which Windows may have made."""
    return PurePosixPath(name.replace("\\", "/"))


def _of_macos(path: PurePosixPath) -> bool:
    """Tells whether a file is one that macOS adds to an archive for each file, with its suffix."""
    return path.name.startswith("._")


def _members(
    container: Path, label: str
) -> Iterator[tuple[PurePosixPath, Callable[[], IO[bytes]]]]:
    """Yields the path of each plain file in a ZIP or tar archive, and a function that opens it."""
    for name, plain, read in _entries(container, label):
        path = _path(name)
        if not plain or path.is_absolute() or ".." in path.parts:
            fault = "lies outside of the archive" if plain else "is a link or a device"
            raise ValueError(f"{label}: {name} {fault} and is not unpacked; {_BY_HAND}")
        yield path, read


def _entries(container: Path, label: str) -> Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]:
    # tar is tried first, because zipfile also accepts a tar archive that ends in a ZIP archive.
    if tarfile.is_tarfile(container):
        with tarfile.open(container) as tar:
            for info in tar:
                if not info.isdir():
                    yield info.name, info.isreg(), partial(tar.extractfile, info)
    elif zipfile.is_zipfile(container):
        with zipfile.ZipFile(container) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not made on Unix
                    yield info.filename, kind in (0, stat.S_IFREG), partial(archive.open, info)
    else:
        raise ValueError(f"{label}: is neither a ZIP nor a tar archive, or is cut short; {_AGAIN}")


def _unpack(
    files: dict[PurePosixPath, tuple[Path, PurePosixPath]], chosen: PurePosixPath, target: Path
) -> None:
    wanted = {
        place: target / path.relative_to(chosen)
        for path, place in files.items()
        if path == chosen / GRAPH
        or path.parent == chosen / "variables"
        or (path.parent == chosen and path.name.startswith("variables."))
    }
    for container in {container for container, _ in wanted}:
        for path, read in _members(container, str(container)):
            if (container, path) in wanted:
                _copy(read, wanted[container, path], container)


def _copy(read: Callable[[], IO[bytes]], destination: Path, container: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    most = ALLOWED_BYTES + ALLOWED_RATIO * container.stat().st_size
    with read() as source, destination.open("wb") as file:
        while part := source.read(1 << 20):
            if file.tell() + len(part) > most:
                raise ValueError(
                    f"{container.name}: its file {destination.name} has more than {most:,} bytes, "
                    f"far more than weights of an archive of this size have; {_BY_HAND}"
                )
            file.write(part)
