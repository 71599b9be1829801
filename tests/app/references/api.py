"""docs/reference/api.md: every route with real examples."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from fastapi.encoders import jsonable_encoder

from app.service import Service
from app.web import bodies
from app.web.application import create_application
from tests.app.references.examples import Shown
from tests.app.references.markdown import block, code, page, pretty, table
from tests.app.routes import routes_of

INTRODUCTION = """Every request carries the header `Authorization: Bearer <secret key>`, but for `/livez`, `/readyz`,
`/metrics`, `/docs`, `/openapi.json`, `/api/v1/timezones`, the URLs that complete waitpoint tokens, those that trigger
jobs, and those that upload and download packets. A key opens one environment, and nothing of another one can be seen or
changed with it. A public token opens what its scopes say, of those routes that
[take one](../how-to/use-the-trigger-dev-sdk.md#public-tokens). The admin key
(`RUNFOLD_ADMIN_KEY`) opens `/api/v1/environments` and nothing else.

- Bodies and answers are JSON (`content-type` is not looked at). A field that a body does not have is
  refused with a sentence that names it, and one that was probably meant. Only where Trigger.dev's SDK or a worker asks,
  which may be newer than the engine, it is ignored.
- What there is none of is left out of an answer, never `null` (below `/v1/` it is `null`). In the options of a trigger
  `null` is the same as absent; as a payload or an output it is a value.
- Dates are ISO 8601 in UTC with milliseconds. Durations are written like `30s`, `10m` or `1h30m` (units w, d, h or
  hr, m, s), ten years at most.
- An answer of 200 means that what it says is committed: it survives any crash.
- A request that is refused wrote nothing, and says why: see [errors](errors.md).
- Send `x-trigger-request-idempotency-key: <uuid>` with a trigger, a batch, a replay, run-now, a new token, a new secret
  key or a change of metadata, and the same request sent again within an hour does nothing and gets the same answer
  (metadata as they are now).
- With `x-trigger-api-version: 2025-07-16` statuses have the names of Trigger.dev v4, and with `?vocabulary=` those of
  any of four systems: see [statuses](statuses.md#vocabularies).
- Below `/v1/`, an error is `{"error": {"code", "message", "details"}}`, and names are in snake_case; those of attempts
  are in camelCase. It is the API of TrigRun's executions document.
- `/docs` shows the routes of a running engine to people, `/openapi.json` to machines."""

TITLES = {
    "runs": "Runs",
    "jobs": "HTTP jobs",
    "executions": "Executions of HTTP jobs",
    "secrets": "Secrets of HTTP jobs",
    "alerts": "Alert channels",
    "queues": "Queues",
    "schedules": "Schedules",
    "events": "Named events",
    "deployments": "Deployments",
    "connections": "Connections",
    "environments": "Environments and keys",
    "variables": "Variables",
    "batches": "Batches",
    "bulk actions": "Bulk actions",
    "waitpoint tokens": "Waitpoint tokens",
    "streams": "Streams",
    "realtime": "Realtime subscriptions",
    "packets": "Packets",
    "public tokens": "Public tokens",
    "ledger": "The ledger",
    "sinks": "Sinks",
    "erasures": "Erasures and retention",
    "workers": "Workers",
    "health": "Health",
}
OPTIONS = {
    "queue": '`{"name": …}`: another queue than that of the task',
    "concurrencyKey": "text or integer: the queue's limit then holds for each key apart",
    "delay": "a duration, or a date: the run enters its queue then; a date that has passed is no delay",
    "ttl": "a duration, or seconds: a run not started so long after it was queued expires; more than 14 days counts"
    " as 14, 0 opts out of the task's",
    "idempotencyKey": "1 to 2,048 characters: as long as it stands for a run of this task, that run is the answer",
    "idempotencyKeyTTL": "how long the key stands for the run, like `60s`, `5m`, `24h` or `7d`; 30 days if left out",
    "idempotencyKeyOptions": '`{"key": …}`: how the user wrote a key that is sent hashed; runs show it. `{"onFailure":'
    ' "return"}`: the key goes on to stand for a run that failed',
    "maxAttempts": "1 to 250; the task's if left out",
    "maxDuration": "seconds that one attempt may take, 1 or more; the task's if left out",
    "metadata": "a JSON object of at most 262,144 bytes",
    "payloadType": "a media type, kept with the payload; `application/json` if left out",
    "priority": "a number of seconds, rounded to a whole one, that the run is put ahead of others in its queue; a"
    " negative one puts it behind",
    "tags": "one tag, or a list of at most ten; each has 1 to 128 characters",
    "test": "true marks a test run",
    "lockToVersion": "the version that alone may execute the run, which waits until it is there",
    "debounce": '`{"key": …, "delay": "5s", "mode": "leading" or "trailing", "maxDelay": "1m"}`: triggers with the same'
    " key within the delay are one run, put off by each; trailing ones replace what it works on",
    "machine": "micro, small-1x, small-2x, medium-1x, medium-2x, large-1x or large-2x: for workers that take these",
    "parentRunId": "the run that triggers this one: to cancel that cancels this too",
    "resumeParentOnCompletion": "refused: that a run waits is for its own worker to say",
    "region": "ignored: workers are wherever they are started",
    "externalDeploymentId": "ignored",
    "gates": "refused: limit the run by its queue and a concurrencyKey",
    "concurrency": "refused, as gates are",
}
NOTES = {
    ("POST", "/api/v1/tasks/{task}/trigger"): "`payload` is any JSON value of at most 3,145,728 bytes, nested at most"
    " 200 levels deep. The headers `Idempotency-Key` and `Idempotency-Key-TTL` do what the fields do, and win. A task"
    " that no worker has registered yet is accepted: its runs wait.",
    ("POST", "/api/v1/tasks/{task}/batch"): "Items are bodies of a trigger, 33,554,432 bytes all together at most.",
    ("POST", "/api/v3/batches"): "Answers 202. `parentRunId` makes the runs children of a run; `idempotencyKeyTTL` says"
    " how long the key stands for the batch, 30 days if left out. The items must come within 24 hours.",
    ("POST", "/api/v3/batches/{batch}/items"): "The body is `application/x-ndjson`: one item a line, 3,670,016 bytes"
    " at most, at most 1,000 in one request. Items are committed as they come. An item that can become no run becomes"
    " an error of the batch.",
    ("GET", "/api/v2/batches/{batch}"): "Statuses are PENDING, PROCESSING, PARTIAL_FAILED, COMPLETED and ABORTED. Those"
    " batches that are made by one request are shown as well.",
    ("POST", "/api/v1/bulk-actions"): "`action` is `cancel` or `replay`; either `runIds` names at most 1,000 runs, or"
    " `filter` has the filters of the list of runs by their plain names, and `from`, `to` and `period`.",
    ("POST", "/api/v1/waitpoints/tokens"): "The body may be empty. `timeout` is a duration or a date; without one the"
    " token waits for ever. As long as `idempotencyKey` (1 to 2,048 characters) stands for a token, that token is the"
    " answer, whatever became of it: for 30 days, or as `idempotencyKeyTTL` says (like `60s`, `5m`, `24h` or `7d`)."
    " `tags` is one tag, or a list of at most ten; each has 1 to 128 characters. `url` begins with `RUNFOLD_API_URL` if"
    " the engine was given that, else with the address at which the engine was asked.",
    ("GET", "/api/v1/waitpoints/tokens/{token}"): "`status` is WAITING, COMPLETED or TIMED_OUT. The output of a token"
    " that timed out is the error that those who waited are given.",
    ("POST", "/api/v1/waitpoints/tokens/{token}/complete"): "`data` has at most 3,145,728 bytes, and may be left out."
    " `outputType` is a media type that is kept with it; `application/json` if left out.",
    ("POST", "/api/v1/waitpoints/tokens/{token}/callback/{secret}"): "This is the `url` of the token. The body has at"
    " most 3,145,728 bytes, whatever its media type, and the header `Content-Length` must be there. Whoever has the URL"
    " can complete this token and nothing else.",
    ("GET", "/api/v1/waitpoints/tokens"): "Values of one filter are joined by commas and mean any of them; different"
    " filters must all hold. An idempotency key is one value, commas and all. For `x-runfold-lag` see runs.",
    ("GET", "/api/v1/runs"): "Values of one filter are joined by commas and mean any of them; different filters must"
    " all hold. `next` and `previous` are there only where there is such a page. If the read models lag more than a"
    " second behind the client's own writes, the header `x-runfold-lag` says by how many events.",
    ("GET", "/api/v1/runs/{run}/journal"): "`kind` is step (COMPLETED with a `result`, or FAILED with an `error`),"
    " try (FAILED with an `error`: the step, which comes behind it under the same name and number, is tried again at"
    " `until`), children (TRIGGERED `runs`, as a `batch` or not), or wait (WAITING, COMPLETED, TIMED_OUT, or CLEARED"
    " when its attempt failed or its run ended before it did). `number` counts the entries of one name; `after` is the"
    " entry that the same branch of the code made before, and `forked` says that the branch began there. A wait is for"
    " all of its `targets`, or `any`, and lasts at most `until` then; `done` are those that were over when it ended,"
    " `unknown` those that there never were. `next` is there where there is more: ask again with it as `after`.",
    ("POST", "/api/v1/runs/{run}/replay"): "The body may be empty. Copied are payload, metadata, tags, queue,"
    " concurrencyKey, machine and test; each of them, and all other options of a trigger, may be given anew beside one"
    " another (`queue` as a plain name). `fromStep` takes over what the run did before that step (`name#2` is the"
    " second of a name, `name@4` the one with this index in the journal), `stepResults` are other results of such steps"
    " by their names: [run again from a step](../how-to/run-again-from-a-step.md).",
    ("GET", "/api/v1/queues"): "A queue is shown when a version declares it, when it has unfinished runs, or when"
    " somebody paused or limited it. `name` is without `task/`, and `type` says whether it is a task's own queue.",
    ("GET", "/api/v1/queues/{queue}"): "A slash in the name is sent as `%252F`, or as it is. `concurrencyLimit` is the"
    " limit that counts, for each concurrency key apart; `running` and `queued` are those of all keys together.",
    ("POST", "/api/v1/queues/{queue}/concurrency/override"): "`concurrencyLimit` is 0 to 100,000, and not more than"
    " the limit of the environment.",
    ("POST", "/api/v1/events"): "`name` has 1 to 128 characters, and so has `id`, which is used once in an environment:"
    " the same id again is answered as before. `payload` is any JSON value of at most 3,145,728 bytes, `timestamp` a"
    " date (now if left out), `source` a text (`api` if left out), `context` an object of at most 8,192 bytes."
    " `options` is `deliverAt` (a date) or `deliverAfter` (seconds, or a duration). Trigger.dev v2's envelope has all"
    " but the options under `event`. `status` is PENDING, DELIVERED or CANCELED. An event that starts more than 500"
    " runs goes on to do so after it is answered, and has its `deliveredAt` when that is done. A filter of a"
    " subscription has the matchers of [this page](../how-to/start-tasks-by-events.md#filter).",
    ("POST", "/api/v1/events/bulk"): "`events` are as above, 33,554,432 bytes all together at most; `options` are for"
    " all of them.",
    ("POST", "/api/v1/schedules"): "One of `cron`, `every` and `at` is the timing. The same `deduplicationKey` again is"
    " an update. [Schedules](schedules.md#fields) has every field; what Trigger.dev's clients do not know is ours.",
    ("PUT", "/api/v1/schedules/{schedule}"): "What is left out has its default again; the deduplication key stays. What"
    " was planned and is not fired yet is planned no more.",
    ("GET", "/api/v1/schedules/{schedule}/ticks"): "[What becomes of a tick](schedules.md#what-becomes-of-a-tick) has"
    " every `fate`; a tick without one is due just now, or waits. At most 10,000 ticks are told.",
    ("POST", "/api/v1/schedules/{schedule}/run-now"): "The run is given what a tick at this moment would be, has the"
    " `source` manual, and is among the ticks with the `fate` MANUAL. It is made whatever the `overlap` of the"
    " schedule, and is in the way of no tick; when it runs next, and `lastRun`, stay as they are.",
    ("POST", "/api/v1/schedules/{schedule}/backfill"): "At most 1,000 runs are made at once. They are those of ticks"
    " that the schedule has planned; what was before its creation was never planned. Those of a"
    " schedule that pauses come to something when it goes on, and can be backfilled then.",
    ("GET", "/api/v1/schedules"): "Pages are told by number. For `x-runfold-lag` see runs.",
    ("GET", "/api/v1/deployments"): "A deployment is a version of the tasks, as a worker or `runfold deploy`"
    " registered it. `deployedAt` is when that was, `promotedAt` when it last became the current one.",
    ("GET", "/api/v1/workers"): "`running` and `waiting` count the runs that it has, by whether they hold a slot;"
    " `runs` names the first 100. `free` is how many more it could take when it was last heard of, `node` the address"
    " at which that was. `machines` is left out where it takes runs for all. What only the worker says (`name`,"
    " `connectedAt`, `lastHeardAt`, `node`) is left out until it is heard of after a start of the engine. Where"
    " `isBuiltin` is true it executes what Runfold brings along.",
    ("POST", "/api/v1/environments"): "`type` is DEVELOPMENT, STAGING, PRODUCTION or PREVIEW; `project` and"
    " `organization` are told to tasks, `default` if left out. `concurrencyLimit` is 0 to 100,000.",
    ("PUT", "/api/v1/connections/{name}"): "A name has 1 to 128 printable characters; credentials have at most"
    " 65,536 bytes.",
    ("POST", "/v1/jobs"): "[Call an HTTP endpoint on a schedule](../how-to/call-an-http-endpoint-on-a-schedule.md) has"
    " all kinds and fields. Answers 201.",
    ("GET", "/v1/executions"): "`status` is the word of the executions document, `run_status` the exact one.",
    ("GET", "/v1/executions/{execution}"): "An attempt that is under way is not among `attempts`. `errorClass` is one"
    " of those [listed here](../how-to/call-an-http-endpoint-on-a-schedule.md#find-out-what-went-wrong).",
    ("PUT", "/v1/secrets/{name}"): "A name has 1 to 128 letters, digits, dots, dashes and underscores; a value at most"
    " 65,536 bytes. [Keep secrets for requests](../how-to/keep-secrets-for-requests.md) says how they are used.",
    ("POST", "/v1/triggers/{token}"): "No key is needed. The answer is the same whether there is such a job or not. A"
    " wrong `X-Webhook-Secret` is answered 401.",
    ("GET", "/api/v1/ledger/events"): "Follow the ledger by asking again with `after` set to `next`, until `next` is"
    " `head`. [Events](events.md) has them all. With `actor`, `type` or `task` a page looks through 10,000 positions at"
    " most and may find nothing; `next` says how far it looked."
    " [Audit who did what](../how-to/audit-who-did-what.md) has examples.",
    ("GET", "/api/v1/ledger/diff"): "Each is told once, on the page on which its last event is: `kind` is run, queue,"
    " schedule or environment, `before` and `after` have what differs, null where it was not there. While there is more"
    " to look through, `next` is the `after` of the next page."
    " [Look back at any moment](../how-to/look-back-at-any-moment.md#what-changed-between-two-moments) says more.",
    ("GET", "/api/v1/ledger/verified"): "`position` is known to be as it was appended since `at`; everything is looked"
    " at `again` each day, and `rounds` says how often it was. `fault` is the sentence that names the position of what"
    " is wrong, null as long as nothing is. `eventsPerSecond` is 0 where `RUNFOLD_VERIFY_PER_SECOND` is."
    " `readModels` says the same of the rows that lists show: as of which event the last ones were compared, how many"
    " `rows` this look has compared, how often all were, and how often they were rebuilt because some differed.",
    ("GET", "/api/v1/runs/{run}/stream"): "Server-sent events: `id` is the position of the event, `event` its type,"
    " `data` what the list of events has of it. Send the last id as `Last-Event-ID` (browsers do that by"
    " themselves) and"
    " the stream goes on exactly behind it. A comment comes every 15 seconds while nothing happens. The stream"
    " ends when"
    " the run is over; whoever asks again then is answered 204, which tells browsers not to come back.",
    ("GET", "/api/v1/runs/stream"): "Server-sent events named `run`, whose data is the run as it is retrieved. One of"
    " `run`, `batch` and `tags` says which runs. Of several runs that are told together the last has the id. A run that"
    " changes faster than it is read is told as it is then. The newest 5,000 runs are told at first. The stream of one"
    " run ends with it.",
    ("GET", "/api/v1/ledger/stream"): "Server-sent events, as of a run. An `id` alone says how far the ledger"
    " was looked"
    " through: environments share its positions. With `to` the stream ends when something was recorded at that time or"
    " later; whoever asks again then is answered 204.",
    ("GET", "/realtime/v1/runs/{run}"): "The protocol of ElectricSQL's shapes, as Trigger.dev's SDK uses it."
    " `offset=-1`"
    " asks for the rows as they are; then ask with the headers `electric-offset` and `electric-handle` of the"
    " last answer"
    " as `offset` and `handle`, and `live=true`: the answer comes with the next change, or after 20 seconds. An"
    " offset is"
    " a position of the ledger. 409 says to begin anew. Rows have the statuses of Trigger.dev's database and dates"
    " without a zone; `skipColumns` leaves columns out, those that every row needs excepted.",
    ("GET", "/realtime/v1/runs"): "All of the `tags` must be there; `createdAt` is a duration of a day at most."
    " The newest"
    " 5,000 runs are told at first.",
    ("PUT", "/api/v2/packets/{path}"): "Whoever has the URL may put 3,145,728 bytes there within an hour, with"
    " the media"
    " type of the payload. Trigger with the `storagePath` as `payload` and `payloadType` `application/store`.",
    ("POST", "/api/v1/auth/public-tokens"): "`scopes` are written `action:resource:id` or `action:resource`, with the"
    " actions read, write, trigger, batchTrigger and * and the resources runs, tasks, tags, batch and"
    " waitpoints, or all."
    " `expirationTime` is a duration, or seconds since 1970; 15 minutes if left out. A token with `oneTimeUse` triggers"
    " once. `realtime` may have `skipColumns`.",
    ("GET", "/metrics"): "[Metrics](metrics.md) has them all.",
    ("POST", "/worker/v1/register"): "[Worker protocol](worker-protocol.md) has every field.",
    ("POST", "/worker/v1/turn"): "[Worker protocol](worker-protocol.md) has every field.",
    ("GET", "/worker/v1/runs/{run}/journal"): "[Worker protocol](worker-protocol.md#the-journal) has every field. Ask"
    " again with the last index, until there are no entries any more.",
}  # fmt: skip


def text(service: Service, examples: Sequence[Shown]) -> str:
    """The whole page."""
    document = create_application(lambda: service).openapi()
    names = [field.encode_name for field in msgspec.structs.fields(bodies.TriggerOptions)]
    assert list(OPTIONS) == names, "every option is described"
    return page("HTTP API", INTRODUCTION, *_sections(create_application(lambda: service), document, examples))


def _sections(application: Any, document: Any, examples: Sequence[Shown]) -> Iterator[str]:
    routes = routes_of(application)
    assert NOTES.keys() <= set(routes)
    yield "\n".join(f"- [{method} {path}](#{_anchor(method, path)})" for method, path in routes)
    for tag, title in TITLES.items():
        yield f"## {title}"
        for method, path in routes:
            operation = document["paths"][path][method.lower()]
            if operation["tags"] == [tag]:
                yield from _route(method, path, operation, [each for each in examples if each.route == (method, path)])


def _route(method: str, path: str, operation: Any, examples: Sequence[Shown]) -> Iterator[str]:
    yield f"### {method} {path}"
    yield operation["description"]
    yield NOTES.get((method, path), "")
    query = [each for each in operation.get("parameters", []) if each["in"] == "query"]
    if query:
        yield table(("query", "meaning"), [(code(each["name"]), each["description"]) for each in query])
    if path.endswith("/trigger"):
        yield table(("option", "meaning"), [(code(name), meaning) for name, meaning in OPTIONS.items()])
        yield "[Options](options.md) has the words of other systems for them, and the tests that show what each does."
    good = [each for each in examples if each.status < 400]
    assert good, f"{method} {path} has no example"
    for each in good:
        yield from _example(each)
    refused = [each for each in examples if each.status >= 400]
    if refused:
        yield "Refused, for example:"
        rows = [(str(each.status), _short(each), _sentence(each.answer["error"])) for each in refused]
        yield table(("status", "asked", "sentence"), rows)


def _sentence(error: Any) -> str:
    return str(error["message"] if isinstance(error, dict) else error)  # pyright: ignore[reportUnknownArgumentType]


def _example(shown: Shown) -> Iterator[str]:
    yield shown.note
    request = f"{shown.route[0]} {shown.target}"
    body = shown.body.decode().rstrip() if isinstance(shown.body, bytes) else pretty(shown.body)
    yield block("http", request if shown.body is None else f"{request}\n\n{body}")
    yield f"Answer {shown.status}:"
    is_text = isinstance(shown.answer, str)
    yield block("text", shown.answer) if is_text else block("json", pretty(jsonable_encoder(shown.answer)))


def _short(shown: Shown) -> str:
    if shown.body is None:
        return code(shown.target)
    sent = shown.body.decode() if isinstance(shown.body, bytes) else msgspec.json.encode(shown.body).decode()
    return code(sent if len(sent) <= 80 else f"{sent[:77]}…")


def _anchor(method: str, path: str) -> str:
    """As code hosts make anchors of headings: lower case, no punctuation."""
    return re.sub(r"[^a-z0-9-]", "", f"{method}-{path}".lower())
