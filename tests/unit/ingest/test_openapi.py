"""The document that describes ingest's HTTP."""

import msgspec

from clarion.contracts.api.problems import Problem
from services.ingest.openapi import document


def test_the_openapi_document_refers_only_to_what_it_holds() -> None:
    text = msgspec.json.encode(document()).decode()
    schemas = document()["components"]["schemas"]
    assert {"Submission", "Accepted", "LineResult", "Status", "Problem"} <= set(schemas)
    assert all(part.partition('"')[0] in schemas for part in text.split("#/components/schemas/")[1:])
    assert schemas["Submission"]["additionalProperties"] is False
    assert set(schemas["Problem"]["properties"]) == set(Problem.__struct_fields__)
