"""Every page and where it is."""

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from app.pages import (
    assets,
    batches,
    bulk,
    charts,
    jobs,
    keeping,
    queues,
    replay,
    run,
    runs,
    schedules,
    signing_in,
    tokens,
)
from app.pages.api import Gateway
from app.pages.visits import Desk


def routes(application: ASGIApp) -> list[BaseRoute]:
    """The pages of an application, which ask it for all that they show."""
    desk = Desk(Gateway(application))
    return [
        Route("/assets/{name}", assets.answer),
        desk.route("/sign-in", signing_in.ask, is_open=True),
        desk.route("/sign-in", signing_in.enter, "POST", is_open=True),
        desk.route("/sign-out", signing_in.leave, "POST"),
        desk.route("/", runs.show),
        desk.route("/live/runs", runs.live),
        desk.route("/search", runs.search),
        desk.route("/runs/{run}", run.show),
        desk.route("/live/runs/{run}", run.live),
        desk.route("/runs/{run}/cancel", run.cancel, "POST"),
        desk.route("/runs/{run}/replay", replay.ask),
        desk.route("/runs/{run}/replay", replay.start, "POST"),
        desk.route("/bulk", bulk.show_all),
        desk.route("/bulk", bulk.start, "POST"),
        desk.route("/bulk/new", bulk.ask),
        desk.route("/bulk/{bulk}", bulk.show),
        desk.route("/live/bulk/{bulk}", bulk.live),
        desk.route("/bulk/{bulk}/abort", bulk.abort, "POST"),
        desk.route("/charts", charts.show),
        desk.route("/queues", queues.show),
        desk.route("/queues/pause", queues.pause, "POST"),
        desk.route("/queues/resume", queues.resume, "POST"),
        desk.route("/queues/limit", queues.override, "POST"),
        desk.route("/queues/environment", queues.bound, "POST"),
        desk.route("/schedules", schedules.show_all),
        desk.route("/schedules/{schedule}", schedules.show),
        desk.route("/schedules/{schedule}/activate", schedules.activate, "POST"),
        desk.route("/schedules/{schedule}/deactivate", schedules.deactivate, "POST"),
        desk.route("/jobs", jobs.show_all),
        desk.route("/jobs/{job}", jobs.show),
        desk.route("/jobs/{job}/pause", jobs.pause, "POST"),
        desk.route("/jobs/{job}/resume", jobs.resume, "POST"),
        desk.route("/jobs/{job}/run", jobs.run_now, "POST"),
        desk.route("/batches", batches.show_all),
        desk.route("/batches/{batch}", batches.show),
        desk.route("/tokens", tokens.show_all),
        desk.route("/tokens/{token}", tokens.show),
        desk.route("/tokens/{token}/complete", tokens.complete, "POST"),
        desk.route("/deployments", keeping.deployments),
        desk.route("/deployments/promote", keeping.promote, "POST"),
        desk.route("/keys", keeping.keys),
        desk.route("/keys", keeping.make_key, "POST"),
        desk.route("/keys/revoke", keeping.revoke_key, "POST"),
    ]
