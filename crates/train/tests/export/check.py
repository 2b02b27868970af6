"""Reads a bundle as other engines do: check.py FOLDER. Prints its three YAML files as one JSON object, as PyYAML reads
them, and the keys of trl-sft.yaml that transformers' TrainingArguments does not have, which must be TRL's own.
"""

import dataclasses
import json
import sys
from pathlib import Path

import yaml
from transformers import TrainingArguments


def main(folder):
    files = {path.name: yaml.safe_load(path.read_text()) for path in Path(folder).glob("*.yaml")}
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    print(json.dumps({"files": files, "own": sorted(set(files["trl-sft.yaml"]) - known)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
