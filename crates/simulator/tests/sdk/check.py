"""Drives the official google-genai SDK against a simulator, as any user of Google's service would.

Usage: check.py BASE_URL

The simulator runs tests/sdk/scenario.toml. Nothing of the SDK is patched: it is given a base URL and, where it insists
on them, credentials that mean nothing. Prints one line a check; exits 1 at the first that fails.
"""

import asyncio
import json
import sys
import urllib.request

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

MODEL = "gemini-3.1-pro-preview"
RETRY = types.HttpRetryOptions(attempts=4, initial_delay=0.05, max_delay=0.1)


def clients(base_url):
    """One client for each mode of the SDK."""
    options = types.HttpOptions(base_url=base_url, api_version="v1", retry_options=RETRY)
    yield "vertex v1", genai.Client(
        vertexai=True, project="p", location="global", credentials=Credentials("token"), http_options=options
    )
    options = types.HttpOptions(base_url=base_url, retry_options=RETRY)
    yield "vertex v1beta1", genai.Client(
        vertexai=True, project="p", location="europe-west4", credentials=Credentials("token"), http_options=options
    )
    yield "developer", genai.Client(api_key="key", http_options=options)


def config(**more):
    """The configuration that the experiment uses."""
    return types.GenerateContentConfig(
        system_instruction="You are a careful assistant.",
        temperature=1.0,
        max_output_tokens=8192,
        thinking_config=types.ThinkingConfig(thinking_level="low"),
        **more,
    )


def check_text(client):
    reply = client.models.generate_content(model=MODEL, contents="Should I sell my boat?", config=config())
    usage = reply.usage_metadata
    assert "boat" in reply.text and reply.text.startswith("<think>"), reply.text
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    assert usage.thoughts_token_count > 0 and usage.candidates_token_count > 0
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )
    assert reply.model_version == MODEL and reply.response_id
    again = client.models.generate_content(model=MODEL, contents="Should I sell my boat?", config=config())
    assert again.text == reply.text


def check_stream(client):
    pieces = list(client.models.generate_content_stream(model=MODEL, contents="Should I sell my boat?", config=config()))
    whole = client.models.generate_content(model=MODEL, contents="Should I sell my boat?", config=config())
    assert len(pieces) > 1
    assert "".join(piece.text or "" for piece in pieces) == whole.text
    assert [piece.candidates[0].finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert pieces[-1].usage_metadata.total_token_count == whole.usage_metadata.total_token_count


def check_async(client):
    async def ask():
        reply = await client.aio.models.generate_content(model=MODEL, contents="Async?", config=config())
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="Async?", config=config())
        return reply.text, "".join([piece.text or "" async for piece in stream])

    reply, streamed = asyncio.run(ask())
    assert reply == streamed


def check_thoughts(client):
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_level="high")
    shown = types.GenerateContentConfig(thinking_config=thinking)
    reply = client.models.generate_content(model=MODEL, contents="Think aloud?", config=shown)
    kinds = [bool(part.thought) for part in reply.candidates[0].content.parts]
    assert kinds == [True, False], kinds
    assert "Weighing" not in reply.text
    low = client.models.generate_content(model=MODEL, contents="Think aloud?", config=config())
    assert low.usage_metadata.thoughts_token_count < reply.usage_metadata.thoughts_token_count


def check_finish_reasons(client):
    cut = client.models.generate_content(model=MODEL, contents="Cut me short.", config=config())
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS and cut.text
    blocked = client.models.generate_content(model=MODEL, contents="Block me.", config=config())
    assert not blocked.candidates
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    empty = client.models.generate_content(model=MODEL, contents="Say nothing.", config=config())
    assert empty.candidates[0].finish_reason == types.FinishReason.STOP and not empty.text
    tight = types.GenerateContentConfig(max_output_tokens=1)
    starved = client.models.generate_content(model=MODEL, contents="Anything?", config=tight)
    assert starved.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS and not starved.text


def check_retry(client, base_url, mode):
    before = counters(base_url)
    contents = f"Refuse me twice, and mind the boat, {mode}."
    reply = client.models.generate_content(model=MODEL, contents=contents, config=config())
    after = counters(base_url)
    assert "boat" in reply.text
    assert after["rate_limited"] - before["rate_limited"] == 2, (before, after)
    assert after["ok"] - before["ok"] == 1
    contents = f"Fail once in an array, {mode}."
    assert client.models.generate_content(model=MODEL, contents=contents, config=config()).text


def check_errors(client):
    def refused(**request):
        try:
            client.models.generate_content(**request)
        except errors.ClientError as error:
            return error
        raise AssertionError(f"accepted: {request}")

    both = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(thinking_level="low", thinking_budget=100)
    )
    error = refused(model=MODEL, contents="hi", config=both)
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT"), error
    assert "thinking" in error.message
    error = refused(model="palm-2", contents="hi")
    assert (error.code, error.status) == (404, "NOT_FOUND") and "palm-2" in error.message, error


def check_models(client):
    assert client.models.get(model=MODEL).name.endswith(f"models/{MODEL}")
    assert client.models.count_tokens(model=MODEL, contents="four letters each").total_tokens == 5


def counters(base_url):
    with urllib.request.urlopen(f"{base_url}/_simulator/counters") as reply:
        return json.load(reply)


def main():
    base_url = sys.argv[1]
    for mode, client in clients(base_url):
        for check in (
            check_text, check_stream, check_async, check_thoughts, check_finish_reasons, check_errors, check_models
        ):
            check(client)
            print(f"{mode}: {check.__name__}: ok")
        check_retry(client, base_url, mode)
        print(f"{mode}: check_retry: ok")
    print(f"google-genai {genai.__version__}: all checks passed")


if __name__ == "__main__":
    main()
