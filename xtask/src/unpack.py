"""Unpacks the wanted members of wheels, or of one npm package, into one folder.

usage: unpack.py WHEELS DESTINATION PATTERN=PREFIX [PATTERN=PREFIX ...]
       unpack.py PACKAGE.tgz SHA256 DESTINATION PATTERN=PREFIX [PATTERN=PREFIX ...]

pip has checked the hash of a wheel by then; that of an npm package is checked here.

A member that matches PATTERN (as fnmatch does) is written below DESTINATION; PREFIX is what its path keeps its tail
after, and a PREFIX of `-` keeps the file name alone, put into `lib/`.
"""

import fnmatch
import hashlib
import pathlib
import shutil
import sys
import tarfile
import zipfile


def target(member, rules):
    """Returns the path below the destination that `member` goes to, or None."""
    for pattern, prefix in rules:
        if fnmatch.fnmatch(member, pattern):
            if prefix == "-":
                return pathlib.PurePosixPath("lib") / pathlib.PurePosixPath(member).name
            return pathlib.PurePosixPath(member).relative_to(prefix)
    return None


def write(source, destination, path):
    """Copies the open file `source` to `path` below `destination`."""
    out = pathlib.Path(destination, *path.parts)
    out.parent.mkdir(parents=True, exist_ok=True)
    with source, open(out, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def unpack_wheels(wheels, destination, rules):
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                path = None if info.is_dir() else target(info.filename, rules)
                if path is not None:
                    write(archive.open(info), destination, path)


def unpack_package(package, sha256, destination, rules):
    found = hashlib.sha256(pathlib.Path(package).read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{package} has SHA-256 {found}; pinned is {sha256}")
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            path = target(member.name, rules) if member.isfile() else None
            if path is not None:
                write(archive.extractfile(member), destination, path)


def main(source, *rest):
    if source.endswith(".tgz"):
        sha256, destination, *rules = rest
        unpack_package(source, sha256, destination, [rule.split("=", 1) for rule in rules])
    else:
        destination, *rules = rest
        unpack_wheels(source, destination, [rule.split("=", 1) for rule in rules])


if __name__ == "__main__":
    main(*sys.argv[1:])
