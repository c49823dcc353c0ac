"""Complete programs that use the API, for its reference; a test runs each as it stands there."""

from __future__ import annotations

CURL = """curl -s http://localhost:8000/api/v1/runs -H 'Content-Type: application/json' \\
  -d '{"target_url": "demo", "users": 20, "duration_s": 5}'
"""
PYTHON = """import json
import time
import urllib.request

SCALE = "http://localhost:8000"


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SCALE + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


run_id = ask("/api/v1/runs", {"target_url": "demo", "users": 20, "duration_s": 5})["run_id"]
while ask(f"/api/v1/runs/{run_id}")["state"] in ("starting", "running", "stopping"):
    time.sleep(1)
print(ask(f"/api/v1/runs/{run_id}")["last"]["verdict"]["sentence"])
"""
SOCKET = """import asyncio
import json
import urllib.request

import websockets

SCALE = "localhost:8000"


async def follow(run_id):
    async with websockets.connect(f"ws://{SCALE}/api/v1/runs/{run_id}/stream") as stream:
        async for message in stream:
            told = json.loads(message)
            print(told["seq"], told["kind"])


with urllib.request.urlopen(f"http://{SCALE}/api/v1/runs?limit=1") as answer:
    asyncio.run(follow(json.load(answer)["runs"][0]["run_id"]))
"""
EXAMPLES = {
    "Start a run with curl": ("bash", CURL),
    "Start a run in Python, and wait for its verdict": ("python", PYTHON),
    "Follow the newest run by WebSocket": ("python", SOCKET),
}
"""{title: (language, program)}"""
WITH_A_TOKEN = "Where people sign in, add the header `Authorization: Bearer` with a token to each call."
