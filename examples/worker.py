"""A worker that pauses while its data in Redis is not whole, and goes on by itself. Needs redis-py 4.3 or newer."""

import json
import os
import signal
import sys
import time

import redis

SYMBOLS = os.environ.get("SYMBOLS", "BTCUSDT,ETHUSDT").split(",")
client = redis.Redis.from_url(
    os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    decode_responses=True,
    socket_timeout=2,
    socket_connect_timeout=2,
)


def counts(mark, info):
    """A mark counts if the process that answers has been given it: one that was loaded with old data has not been checked."""
    return mark is not None and mark.startswith(info["run_id"] + ":")


def ready_symbols():
    """Asks which symbols are whole."""
    info, marks = client.pipeline(transaction=False).info("server").hmget("rekindle:ready", SYMBOLS).execute()
    return {symbol for symbol, mark in zip(SYMBOLS, marks) if counts(mark, info)}


def work(symbol):
    """The worker's own work. The mark is read along with the values, so that what was lost a moment ago is never taken for truth."""
    together = client.pipeline(transaction=True).info("server").hget("rekindle:ready", symbol)
    info, mark, values = together.hgetall(f"indicator:{symbol}:m1").execute()
    if counts(mark, info):
        tell(event="worked", symbol=symbol, values=values)


def turn(running, ready):
    """Says what pauses and what resumes; gives what runs from now on."""
    if running - ready:
        tell(event="paused", symbols=sorted(running - ready))
    if ready - running:
        tell(event="resumed", symbols=sorted(ready - running))
    return ready


def tell(**line):
    print(json.dumps(line), flush=True)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
running = set()
ears = None
while True:
    try:
        if ears is None:
            # Listen first and ask then: what happens in between is heard.
            ears = client.pubsub()
            ears.subscribe("rekindle:events")
        running = turn(running, ready_symbols())
        for symbol in sorted(running):
            work(symbol)
        # A second, or less if there is news. A message only says that it is time to ask.
        if ears.get_message(timeout=1):
            while ears.get_message(timeout=0):
                pass
    except redis.RedisError:
        running = turn(running, set())
        ears = None
        time.sleep(0.25)
