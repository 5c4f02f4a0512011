"""Write sound into many named pipes at the pace of life.

Usage: feed_pipes.py RAW RATE_HZ SECONDS PIPE ...

RAW holds s16le samples; each pipe begins elsewhere in it and at another moment of the first 5 s.
Afterwards one line tells how many samples went into each pipe, and how many chunks found a pipe
full; the pipes stay open until standard input ends.
"""

import heapq
import json
import os
import sys
import time
from pathlib import Path

CHUNK_S = 0.25
SPREAD_S = 5.0

raw, rate_hz, seconds, *paths = sys.argv[1:]
sound = Path(raw).read_bytes()
size = round(CHUNK_S * int(rate_hz)) * 2
chunks = [sound[first : first + size] for first in range(0, len(sound) - size + 1, size)]
pipes = [os.open(path, os.O_WRONLY) for path in paths]
for pipe in pipes:
    os.set_blocking(pipe, False)
written = [0] * len(pipes)
full = 0
start_s = time.monotonic()
end_s = start_s + SPREAD_S + float(seconds)
due = [(start_s + SPREAD_S * number / len(pipes), number) for number in range(len(pipes))]
while due[0][0] < end_s:
    at_s, number = due[0]
    time.sleep(max(0.0, at_s - time.monotonic()))
    chunk = chunks[(7 * number + written[number] // size) % len(chunks)]
    try:
        written[number] += os.write(pipes[number], chunk)
    except BlockingIOError:
        full += 1
    heapq.heapreplace(due, (at_s + CHUNK_S, number))
print(json.dumps({"samples": [count // 2 for count in written], "full": full}), flush=True)
sys.stdin.read()
