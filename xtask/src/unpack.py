"""Unpacks the wanted members of wheels into one folder.

usage: unpack.py WHEELS DESTINATION PATTERN=PREFIX [PATTERN=PREFIX ...]

A member that matches PATTERN (as fnmatch does) is written below DESTINATION; PREFIX is what its path keeps its tail
after, and a PREFIX of `-` keeps the file name alone, put into `lib/`.
"""

import fnmatch
import pathlib
import shutil
import sys
import zipfile


def target(member, rules):
    """Returns the path below the destination that `member` goes to, or None."""
    for pattern, prefix in rules:
        if fnmatch.fnmatch(member, pattern):
            if prefix == "-":
                return pathlib.PurePosixPath("lib") / pathlib.PurePosixPath(member).name
            return pathlib.PurePosixPath(member).relative_to(prefix)
    return None


def main(wheels, destination, *rules):
    rules = [rule.split("=", 1) for rule in rules]
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                path = None if info.is_dir() else target(info.filename, rules)
                if path is None:
                    continue
                out = pathlib.Path(destination, *path.parts)
                out.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, open(out, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


if __name__ == "__main__":
    main(*sys.argv[1:])
