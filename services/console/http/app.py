"""Put the console's HTTP together: its routes, their description, and errors as problem details."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from clarion.contracts.api.problems import field_error
from clarion.contracts.records.notification import Invalid
from clarion.operating.dead_letters.editing import Busy
from clarion.operating.dead_letters.finding import UnknownLetter
from clarion.web.callers import TokenCheck
from clarion.web.openapi import served
from clarion.web.problem_responses import HANDLERS, problem
from clarion.web.slashes import without_redirects
from services.console.desk import Desk
from services.console.http.audit_routes import audit_routes
from services.console.http.dead_letter_routes import dead_letter_routes
from services.console.http.look_up_routes import look_up_routes
from services.console.http.openapi import document
from services.console.http.overview_routes import overview_routes
from services.console.http.page_routes import page_routes
from services.console.http.reference_routes import reference_routes


def make_app(check: TokenCheck, as_known: TokenCheck, desk: Desk) -> Starlette:
    """Return the HTTP application of the console; `check` verifies operators' tokens.

    What can be seen without MongoDB goes by `as_known`, which does not ask it: operators want it most while MongoDB is
    away.
    """
    app = Starlette(
        routes=[
            *overview_routes(as_known, desk),
            *look_up_routes(check, desk),
            *dead_letter_routes(check, desk),
            *audit_routes(check, desk),
            *reference_routes(as_known, desk),
            *page_routes(desk.settings, desk.budget),
            served("/openapi.json", document()),
        ],
        exception_handlers={**HANDLERS, Invalid: _invalid, UnknownLetter: _unknown, Busy: _busy},
    )
    return without_redirects(app)


def _invalid(_: Request, error: Exception) -> Response:
    return problem(422, "the request is invalid: see errors", [field_error(error)])


def _unknown(_: Request, error: Exception) -> Response:
    return problem(404, str(error))


def _busy(_: Request, error: Exception) -> Response:
    return problem(409, str(error))
