"""Takes texts, hands them to the workers, shows what came back."""

import flask
import redis

app = flask.Flask(__name__)
queue = redis.Redis("queue", decode_responses=True)


@app.post("/jobs")
def add() -> str:
    number = queue.incr("last")
    queue.rpush("jobs", f"{number} {flask.request.get_data(as_text=True)}")
    return str(number)


@app.get("/jobs/<number>")
def result(number: str) -> flask.Response:
    found = queue.hget("results", number)
    return flask.Response(found or "not yet", status=200 if found else 202)
