"""The table of contents: what the service is made of. Open this first.

Facts go in (projects), standings come out (heart), everything else reads standings: what is late (stalls), lists and
files (lists), what units are asked to answer (orders), the morning's digest (alerts), the group chats it goes to (robots)
and the links it is answered by (replies), rehearsals of other limits (rehearsals); ledgers and events come in, events go out (ledgers);
all of it as one file, and back (backups). Whether all that goes on is told by operations.
Folders say what the business does, loose files how it runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from app import __version__, logs
from app.alerts import api as alerts
from app.calendars import api as calendars
from app.clock import Clock, clock_for
from app.db import ROOT, Database
from app.durable import inspector
from app.gate import Gate, Limits
from app.http import Cursors, document, install_problems
from app.lane import Lane
from app.ledgers import api as ledgers
from app.lists import api as lists
from app.offices import api as offices
from app.offices.desk import House
from app.operations import api as operations
from app.operations.metrics import Metrics
from app.orders import api as orders
from app.orders import marking_api as marking
from app.policies import api as policies
from app.projects import api as projects
from app.rehearsals import api as rehearsals
from app.replies import api as replies
from app.replies import pages as reply_pages
from app.robots import api as robots
from app.settings import Settings
from app.standby import Standby
from app.worker import Worker

PAGE = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""What our pages may load: what is served from here, and no inline script."""
ROUTERS = (
    projects.router, lists.router, alerts.router, offices.router, policies.router, calendars.router, rehearsals.router, robots.router,
    replies.router, reply_pages.router, operations.router, ledgers.router, orders.router, marking.router,
)  # fmt: skip


def build_house(settings: Settings, clock: Clock | None = None, database: Database | None = None) -> House:
    """What every request and command needs: settings, database, clock and keys; and log lines that go to stderr."""
    logs.configure(settings.log_level, settings.secrets(), settings.log)
    return House(
        settings,
        database or Database(settings.database_url, settings.threads, inspector(settings)),
        clock or clock_for(settings),
        settings.key("audit_key"),
        Cursors(settings.key("secret_key")),
        Standby(settings.read_database_url, settings.threads) if settings.read_database_url else None,
    )


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> FastAPI:
    """The service: routes, problems, limits, operations, and (unless switched off) the daily worker."""
    settings = settings or Settings()
    house = build_house(settings, clock)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        # no more threads than connections in the pool: 200 callers wait in line instead of for each other
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        worker = Worker(house) if settings.worker else None
        if worker:
            worker.start()
        yield
        if worker:
            worker.stop()
        house.database.dispose()
        if house.standby is not None:
            house.standby.database.dispose()

    app = FastAPI(
        title="落地 Luodi",
        version=__version__,
        description="跟踪每一个已签约项目，直至真正投产。Follows every signed investment project until it really operates.",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = house
    metrics = app.state.metrics = Metrics(house)
    install_problems(app)
    app.add_middleware(Lane, prefix="/api/v1/projects/", read=projects.read_project, reports=projects.REPORTS)
    app.mount("/static", StaticFiles(directory=ROOT / "app" / "static"), name="static")
    for router in ROUTERS:
        app.include_router(router)
    pages(app)
    document(app)
    stack, limits = app.build_middleware_stack, Limits(settings.rate_per_minute, settings.refusals_per_minute)
    app.build_middleware_stack = lambda: Gate(stack(), limits, metrics.seen)  # type: ignore[method-assign]
    return app


def pages(app: FastAPI) -> None:
    """How the API is called, and the page that a digest's links lead to."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        """Swagger UI, served from here: an intranet has no CDN."""
        return HTMLResponse(
            '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>落地 Luodi API</title>'
            '<link rel="stylesheet" href="/static/swagger/swagger-ui.css"><link rel="icon" href="/static/swagger/favicon.png"></head>'
            '<body><div id="swagger-ui"></div><script src="/static/swagger/swagger-ui-bundle.js"></script>'
            '<script src="/static/docs.js"></script></body></html>',
            headers={"Content-Security-Policy": PAGE + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:"},
        )

    page = (ROOT / "app" / "static" / "project.html").read_bytes()

    @app.get("/projects/{ref}", include_in_schema=False)
    async def project_page(ref: str) -> Response:
        """Where a digest's links lead. The same page for everybody: it asks the API with the reader's own token."""
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE})
