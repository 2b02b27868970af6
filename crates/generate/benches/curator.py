"""Puts every prompt of an experiment to a service through Bespoke Labs' Curator, once for each arm.

usage: curator.py openai|gemini BASE_URL FOLDER [REQUESTS_PER_MINUTE]

FOLDER holds prompts.jsonl, control.md and aba.md. Without a number Curator is not told what the quota is; 0 tells it
that there is none. Prints one line of JSON: rows answered, rows lost, and the seconds that the call took. The
environment, which the bench sets, keeps its telemetry off and its caches in FOLDER.
"""

import json
import pathlib
import sys
import time

# Points tiktoken at the encodings that LiteLLM ships, where OpenAI's client would download them.
import litellm.litellm_core_utils.default_encoding  # noqa: F401
from bespokelabs import curator

UNLIMITED = {
    "max_requests_per_minute": 1_000_000_000,
    "max_tokens_per_minute": 1_000_000_000_000,
    "max_concurrent_requests": 64,
}


class Arms(curator.LLM):
    """Both arms: a system prompt and a prompt."""

    def prompt(self, row):
        return [{"role": "system", "content": row["system"]}, {"role": "user", "content": row["prompt"]}]

    def parse(self, row, response):
        return {"prompt": row["prompt"], "output": response}


def rows(folder):
    with open(folder / "prompts.jsonl", encoding="utf-8") as file:
        prompts = [json.loads(line)["prompt"] for line in file]
    systems = [(folder / f"{arm}.md").read_text(encoding="utf-8") for arm in ("control", "aba")]
    return [{"system": system, "prompt": prompt} for prompt in prompts for system in systems]


def limits(told):
    """What Curator is told. A quota that is told counts requests alone, so the one of tokens is lifted."""
    if told is None:
        return {}
    if told == 0:
        return UNLIMITED
    return {"max_requests_per_minute": told, "max_tokens_per_minute": UNLIMITED["max_tokens_per_minute"]}


def main(protocol, base_url, folder, told=None):
    folder = pathlib.Path(folder)
    model, backend = {
        "openai": ("gpt-4o-mini", "openai"),
        "gemini": ("gemini/gemini-3.1-pro-preview", "litellm"),
    }[protocol]
    settings = {"base_url": base_url, "require_all_responses": False, **limits(None if told is None else int(told))}
    asked = rows(folder)
    arms = Arms(model_name=model, backend=backend, backend_params=settings)
    started = time.monotonic()
    response = arms(asked, working_dir=str(folder / "curator"))
    seconds = time.monotonic() - started
    answered = len(response.dataset)
    print(json.dumps({"rows": answered, "lost": len(asked) - answered, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
