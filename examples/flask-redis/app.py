"""A page that counts how often it was seen."""

import os

import flask
import redis

app = flask.Flask(__name__)
store = redis.Redis(os.environ["REDIS_HOST"])


@app.get("/")
def index() -> str:
    return f"seen {store.incr('seen')} times\n"
