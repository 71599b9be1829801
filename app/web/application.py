"""The web application over one service."""

from typing import Any

from fastapi import FastAPI

from app.service import Service
from app.web import docs, errors, health, ledger, runs, triggering, worker


def create_application(service: Service) -> FastAPI:
    """All routes, answered by this service."""
    application = FastAPI(
        title="Runfold",
        version="0.1.0",
        description="Background work that never gets lost and can always be explained.",
        docs_url="/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    application.state.service = service
    errors.install(application)
    for router in (health.router, triggering.router, runs.router, ledger.router, worker.router):
        application.include_router(router)
    generate = application.openapi

    def openapi() -> dict[str, Any]:
        return docs.complete(generate())

    application.openapi = openapi  # type: ignore[method-assign]
    return application
