"""Peers of the gate on the same files, each doing a part of its work: `peers.py SCHEMA LEDGER...`.

Prints seconds, CPU seconds and what was done, a line for each, with tabs between. Imports are not counted, and each figure is the best of
three but for the slow ones. What cannot be imported is left out aloud.
"""

import json
import sys
import time
from importlib.metadata import version

SCHEMA, LEDGERS = sys.argv[1], sys.argv[2:]
SLOW_ROWS = 2_000


def best(work, runs=3):
    times = []
    for _ in range(runs):
        start, spent = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - spent))
    return min(times)


def polars():
    import polars as pl

    stop = pl.col("meta").struct.field("finish_reason") == "STOP"
    think = pl.col("output").str.starts_with("<think>") & pl.col("output").str.contains("</think>", literal=True)

    def read():
        for ledger in LEDGERS:
            frame = pl.read_ndjson(ledger)
            assert frame.select((stop & think).all()).item()
            assert frame["instruction"].n_unique() == len(frame)

    def scan():
        for ledger in LEDGERS:
            frame = pl.scan_ndjson(ledger)
            checks = frame.select((stop & think).all().alias("good"), pl.col("instruction").n_unique(), rows=pl.len())
            row = checks.collect(engine="streaming").row(0)
            assert row[0] and row[1] == row[2]

    return min(best(read), best(scan)), f"Polars {pl.__version__}: parse, finish reason, think tags, unique prompts"


def duckdb():
    import duckdb as db

    query = """select bool_and(meta.finish_reason = 'STOP' and starts_with(output, '<think>')
        and contains(output, '</think>')), count(distinct instruction) = count(*)
        from read_json(?, format = 'newline_delimited', maximum_object_size = 16777216)"""

    def work():
        for ledger in LEDGERS:
            assert db.execute(query, [ledger]).fetchone() == (True, True)

    return best(work), f"DuckDB {db.__version__}: the same"


def orjson():
    import jsonschema_rs
    import orjson

    validator = jsonschema_rs.validator_for(json.load(open(SCHEMA)))

    def work():
        for ledger in LEDGERS:
            with open(ledger, "rb") as lines:
                assert all(validator.is_valid(orjson.loads(line)) for line in lines)

    return best(work, 2), f"orjson {version('orjson')} + jsonschema-rs {version('jsonschema-rs')}: parse, schema"


def jsonschema():
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.load(open(SCHEMA)))
    with open(LEDGERS[0], "rb") as lines:
        rows = [line for line, _ in zip(lines, range(SLOW_ROWS))]
    total = sum(1 for ledger in LEDGERS for _ in open(ledger, "rb"))
    seconds = best(lambda: all(validator.is_valid(json.loads(row)) for row in rows), 1)
    return [part * total / len(rows) for part in seconds], f"json + jsonschema: parse, schema (from {len(rows)} rows)"


for peer in (polars, duckdb, orjson, jsonschema):
    try:
        seconds, what = peer()
        print(*seconds, what, sep="\t", flush=True)
    except ImportError as error:
        print(f"{peer.__name__} is left out: {error}", flush=True)
