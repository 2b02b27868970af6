"""Reads a folder of event files with TensorBoard itself: read.py FOLDER. Prints its scalars as JSON, by tag.

The loader checks both checksums of every record; a file that fails one is an error here and not merely shorter.
"""

import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New


def main(folder):
    for path in Path(folder).glob("*tfevents*"):
        reader = PyRecordReader_New(str(path))
        records = 0
        try:
            while True:
                reader.GetNext()
                records += 1
        except Exception as error:
            # The end of the file is an error of its own kind; a checksum that fails is another.
            if type(error).__name__ != "OutOfRangeError":
                raise
    accumulator = EventAccumulator(folder)
    accumulator.Reload()
    scalars = {
        tag: [[event.step, event.value, event.wall_time] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }
    print(json.dumps({"records": records, "scalars": scalars}))


if __name__ == "__main__":
    main(*sys.argv[1:])
