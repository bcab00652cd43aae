# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that speak the job protocol, each with one habit to test. Run as `python children.py HABIT`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

VERSIONS = {"sardine": "0", "python": "3", "torch": "2", "timm": "1", "rasterio": "1", "numpy": "1", "safetensors": "1"}
FAILURE = {
    "type": "failure",
    "code": "unit_ambiguous",
    "found": "F.",
    "needed": "N.",
    "action": "A.",
    "refused": True,
    "detail": "D",
}
RESULT = {
    "type": "result", "outputs": {}, "crs_wkt": None, "bounds": [0, 0, 1, 1], "height": 1, "width": 1, "unit": "db",
    "unit_evidence": "e", "warp_note": "", "valid_share": 1.0, "valid_area_km2": 2.5, "mean_confidence_percent": 80.0,
    "class_area_ha": {"80": 1.0},
    "windows_total": 1, "windows_run": 1, "device": "cpu", "precision": "fp32", "elapsed_s": 0.1, "model_name": "m",
    "model_sha256": "h",
}  # fmt: skip


def say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def hello(**changes: object) -> None:
    say({"type": "hello", "versions": VERSIONS, "protocol": 1, **changes})


def read() -> dict[str, object]:
    line = sys.stdin.readline()
    return json.loads(line) if line else {"type": "end"}


def done() -> None:
    hello()
    request = read()
    say({"type": "warning", "code": "w", "text": "request of type " + str(request["type"])})
    say({"type": "progress", "stage": "mapping", "done": 1, "total": 2})
    say(RESULT)


def echo() -> None:
    """Reports the request that it was sent in a warning."""
    hello()
    say({"type": "warning", "code": "w", "text": json.dumps(read())})
    say(RESULT)


def scene_outcome(name: str, state: str, **more: object) -> None:
    say({"type": "scene", "name": name, "state": state, "outputs": {}, "attempts": 1, **more})


def batch() -> None:
    """Reports the request of a batch in a warning; each scene is done, but for those with a problem."""
    hello()
    request = read()
    say({"type": "warning", "code": "w", "text": json.dumps(request)})
    for scene in request["scenes"]:
        problem = {**FAILURE, "found": scene["problem"], "needed": "", "action": ""} if scene["problem"] else None
        scene_outcome(scene["name"], "failed" if problem else "done", failure=problem, result=None if problem else RESULT)
    say({"type": "task_result", "outputs": {}, "figures": {}})


def batch_fails() -> None:
    """Each scene is refused."""
    hello()
    for scene in read()["scenes"]:
        scene_outcome(scene["name"], "failed", failure=FAILURE)
    say({"type": "task_result", "outputs": {}, "figures": {}, "partial": True})


def batch_obedient() -> None:
    """Has the first scene, then runs for ever on the second, but obeys a cancel."""
    hello()
    first, second = (scene["name"] for scene in read()["scenes"])
    scene_outcome(first, "done", result=RESULT)
    say({"type": "progress", "stage": "mapping", "done": 1000, "total": 2000, "scene": second})
    if read()["type"] == "cancel":
        scene_outcome(second, "cancelled")
        say({**FAILURE, "code": "cancelled"})
        sys.exit(130)


def refused() -> None:
    hello()
    read()
    say({**FAILURE, "detail": "D"})
    sys.exit(2)


def refused_check() -> None:
    """Answers the command `inspect`, which has no greeting."""
    say(FAILURE)
    sys.exit(2)


def obedient() -> None:
    """Runs for ever, but obeys a cancel."""
    hello()
    read()
    say({"type": "progress", "stage": "mapping", "done": 0, "total": 9})
    if read()["type"] == "cancel":
        say({**FAILURE, "code": "cancelled"})
        sys.exit(130)


def silent() -> None:
    """Starts the job, then neither speaks nor listens, and shrugs off a polite end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hello()
    read()
    say({"type": "progress", "stage": "mapping", "done": 0, "total": 9})
    time.sleep(600)


def stalls() -> None:
    """Repeats itself for more than a second, goes on, and ends well."""
    hello()
    read()
    for _ in range(15):
        say({"type": "progress", "stage": "mapping", "done": 0, "total": 2})
        time.sleep(0.1)
    say({"type": "progress", "stage": "mapping", "done": 1, "total": 2})
    say(RESULT)


def killed() -> None:
    hello()
    read()
    sys.stderr.write("first words\n" + "chatter\n" * 50_000 + "last words\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def garbage() -> None:
    sys.stdout.write("a library's greeting\n\x00\xff{]\n")
    hello()
    sys.stdout.write("half a line ")
    read()
    sys.stdout.write("ended\n")
    say(RESULT)


def rubbish() -> None:
    """Never says hello, but much else."""
    for _ in range(3):
        sys.stdout.buffer.write(b"\x00\xff" * 2_500_000)
        sys.stdout.buffer.write(b'\n[1, 2]\n{"type": 7}\n' + b"[" * 100_000 + b"\n")
    sys.stdout.flush()


def flood() -> None:
    """More on stderr and on stdout than a pipe holds, before the result."""
    hello()
    read()
    sys.stderr.write("e" * 100 + "\n" + "x" * 3_000_000)
    sys.stderr.flush()
    for done in range(2000):
        say({"type": "progress", "stage": "mapping " + "p" * 200, "done": done, "total": 2000})
    say(RESULT)


def no_hello() -> None:
    time.sleep(600)


def leaves() -> None:
    sys.stderr.write("No module named backend\n")
    sys.exit(1)


def other_version() -> None:
    hello(protocol=99)
    read()


def no_torch() -> None:
    hello(versions={**VERSIONS, "torch": ""})
    read()


def lingers() -> None:
    """Has the result, but does not end: a hung GPU driver."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hello()
    read()
    say(RESULT)
    time.sleep(600)


def closes_stdout() -> None:
    hello()
    read()
    os.close(1)
    time.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)


def environment() -> None:
    """Reports its own environment and Python search path in a warning."""
    hello()
    read()
    say({"type": "warning", "code": "w", "text": json.dumps({"environ": dict(os.environ), "path": sys.path})})
    say(RESULT)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
