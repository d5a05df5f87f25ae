"""Serve the descriptions of ingest and the gateways to the page: `/v1/reference/{name}`. The console's is its own."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.web.bodies import JSON
from clarion.web.callers import TokenCheck
from services.console.desk import Desk

_HEADERS: Final = {"Cache-Control": "no-store"}


def reference_routes(check: TokenCheck, desk: Desk) -> list[Route]:
    """Return the route of other services' descriptions."""

    async def show(request: Request) -> Response:
        await desk.operator(request, check)
        with desk.budget.request():
            document = await desk.documents.get(request.path_params["name"])
        if document is None:
            raise HTTPException(404, f"there are descriptions of {', '.join(desk.documents.sources)}, and no other")
        return Response(document, headers=_HEADERS, media_type=JSON)

    return [Route("/v1/reference/{name}", show, methods=["GET"])]
