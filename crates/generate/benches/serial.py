"""Puts prompts to a service one after the other, as the script did that this project replaces.

usage: serial.py BASE_URL FOLDER REQUESTS

A refusal is slept off for 65 seconds, which is what that script did. Standard library only.
"""

import http.client
import itertools
import json
import pathlib
import sys
import time
import urllib.parse

PATH = "/v1beta/models/gemini-3.1-pro-preview:generateContent"


def main(base_url, folder, requests):
    with open(pathlib.Path(folder) / "prompts.jsonl", encoding="utf-8") as file:
        prompts = [json.loads(line)["prompt"] for line in file]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(base_url).netloc)
    for prompt in itertools.islice(prompts, int(requests)):
        body = json.dumps({"contents": [{"role": "user", "parts": [{"text": prompt}]}]})
        while True:
            connection.request("POST", PATH, body, {"content-type": "application/json", "x-goog-api-key": "none"})
            reply = connection.getresponse()
            reply.read()
            if reply.status == 200:
                break
            time.sleep(65)


if __name__ == "__main__":
    main(*sys.argv[1:])
