"""Every page and where it is."""

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from app.pages import assets, replay, run, runs, signing_in
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
    ]
