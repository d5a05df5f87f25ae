"""The document that describes the console's HTTP."""

import msgspec

from clarion.contracts.api.problems import Problem
from services.console.http.openapi import document


def test_the_openapi_document_refers_only_to_what_it_holds() -> None:
    text = msgspec.json.encode(document()).decode()
    schemas = document()["components"]["schemas"]
    assert {
        "Page",
        "Details",
        "Edit",
        "Chosen",
        "Results",
        "Purged",
        "AuditPage",
        "Overview",
        "Told",
        "Problem",
    } <= set(schemas)
    assert all(part.partition('"')[0] in schemas for part in text.split("#/components/schemas/")[1:])
    assert set(schemas["Problem"]["properties"]) == set(Problem.__struct_fields__)
