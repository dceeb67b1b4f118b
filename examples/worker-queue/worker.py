"""Turns texts round, one after the other."""

import time

import redis

queue = redis.Redis("queue", decode_responses=True)
while True:
    try:
        _, job = queue.blpop("jobs")
    except redis.ConnectionError:
        time.sleep(0.2)
        continue
    number, text = job.split(" ", 1)
    queue.hset("results", number, text[::-1])
    print(f"job {number} done", flush=True)
