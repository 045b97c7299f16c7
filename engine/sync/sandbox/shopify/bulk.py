"""Bulk operations: a mutation worked line by line over an uploaded file, slowly and in the background."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from graphql import GraphQLError, OperationType

from engine.sync.sandbox.hooks import stamp
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.shop import Shop
from engine.sync.sandbox.shopify.state import BulkOperation
from engine.sync.sandbox.wire import Json

AT_ONCE: Final = 5
LARGEST_BYTES: Final = 100 * 1024 * 1024
_STARTS_AFTER: Final = timedelta(seconds=1)
_LINES_A_SECOND: Final = 100
_LONGEST: Final = timedelta(hours=24)


def stage(shop: Shop, args: Json) -> Json:
    """``stagedUploadsCreate``: where to put a file of variables."""
    targets = []
    for one in args["input"]:
        if one["resource"] != "BULK_MUTATION_VARIABLES":
            raise refuse("The sandbox stages bulk mutation variables only", "input", "resource")
        key = f"tmp/{shop.state.domain}/bulk/{shop.number()}/{one['filename']}"
        shop.state.staged[key] = None
        url = f"{shop.origin}/shopify/{shop.state.domain}/_staged"
        parameters = [{"name": "key", "value": key}, {"name": "Content-Type", "value": one["mimeType"]}]
        if (one.get("httpMethod") or "PUT") == "PUT":
            url, parameters = f"{url}/{key}", [parameters[1]]
        targets.append({"url": url, "resourceUrl": url, "parameters": parameters})
    return {"stagedTargets": targets}


def run_mutation(shop: Shop, args: Json) -> Json:
    """``bulkOperationRunMutation``. One at a time may be asked for up to five running."""
    path = args["stagedUploadPath"]
    _check_mutation(args["mutation"])
    content = shop.state.staged.get(path)
    if content is None:
        raise refuse(
            "The JSONL file could not be found. Try uploading the file again.", "stagedUploadPath", code="NO_SUCH_FILE"
        )
    if not _readable(content):
        raise refuse("The file is not JSONL.", "stagedUploadPath", code="INVALID_STAGED_UPLOAD_FILE")
    running = [one for one in shop.state.bulk_operations.values() if one.status in {"CREATED", "RUNNING"}]
    if len(running) >= AT_ONCE:
        raise refuse("Bulk operation limit reached. Please try again later.", code="OPERATION_IN_PROGRESS")
    made = BulkOperation(shop.number(), args["mutation"], shop.now(), client_identifier=args.get("clientIdentifier"))
    shop.state.bulk_operations[made.id] = made
    lines = content.decode().splitlines()
    shop.ground.later(_STARTS_AFTER, lambda: _start(shop, made, lines))
    return {"bulkOperation": made}


def _check_mutation(text: str) -> None:
    from engine.sync.sandbox.shopify.executing import operation_of, read_document, root_field

    try:
        document, faults = read_document(text)
        operation = operation_of(document, None)
    except GraphQLError as error:
        raise refuse(f"Invalid bulk mutation: {error.message}", "mutation", code="INVALID_MUTATION") from error
    if faults or operation.operation is not OperationType.MUTATION or root_field(document, None).startswith("bulk"):
        message = faults[0].message if faults else "it must be a single mutation."
        raise refuse(f"Invalid bulk mutation: {message}", "mutation", code="INVALID_MUTATION")


def _readable(content: bytes) -> bool:
    try:
        return all(isinstance(json.loads(line), dict) for line in content.decode().splitlines() if line.strip())
    except ValueError:
        return False


def _start(shop: Shop, made: BulkOperation, lines: list[str]) -> None:
    made.status = "RUNNING"
    needed = timedelta(seconds=1 + len(lines) // _LINES_A_SECOND)
    if needed > _LONGEST:
        shop.ground.later(_LONGEST, lambda: _end(shop, made, "FAILED", "TIMEOUT"))
        return
    shop.ground.later(needed, lambda: _work(shop, made, lines))


def _work(shop: Shop, made: BulkOperation, lines: list[str]) -> None:
    """Each line for itself: one that fails takes none of the others along."""
    from engine.sync.sandbox.shopify.executing import execute, read_document

    document, _ = read_document(made.query)
    rows: list[Any] = []
    with shop.ground.lock:
        for number, line in enumerate(one for one in lines if one.strip()):
            rows.append(execute(shop, document, json.loads(line), None) | {"__lineNumber": number})
        made.object_count = len(rows)
        made.result = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        _end(shop, made, "COMPLETED", None)


def _end(shop: Shop, made: BulkOperation, status: str, code: str | None) -> None:
    made.status, made.error_code, made.completed_at = status, code, shop.now()
    shop.begin_act()
    body = {
        "admin_graphql_api_id": made.gid,
        "status": status.lower(),
        "error_code": code.lower() if code else None,
        "type": "mutation",
        "created_at": stamp(made.created_at),
        "completed_at": stamp(made.completed_at),
        "name": None,
    }
    shop.emit("BULK_OPERATIONS_FINISH", made.gid, body)
