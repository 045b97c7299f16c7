"""Documents of the Admin API, executed: parsed and validated once, priced, and worked on a shop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib import resources
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    StringValueNode,
    VariableNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from engine.sync.sandbox.shopify import bulk, bundles, changing, fulfilling, ordering, stock, subscriptions, views
from engine.sync.sandbox.shopify.mistakes import TopLevel, UserErrors, user_error
from engine.sync.sandbox.shopify.shop import Shop
from engine.sync.sandbox.wire import Json

Mutation = Callable[[Shop, Json], Json]
KEYED: Final = frozenset({"inventorySetQuantities", "refundCreate"})
"""They fail without an idempotency key since 2026-04."""
_KEPT: Final = timedelta(hours=24)
_CONCURRENT: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"
_LARGEST: Final = 10**15
_MISMATCH: Final = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
MUTATIONS: Final[dict[str, Mutation]] = {
    "orderCreate": ordering.order_create,
    "tagsAdd": changing.tags_add,
    "tagsRemove": changing.tags_remove,
    "orderUpdate": changing.order_update,
    "orderCancel": changing.order_cancel,
    "refundCreate": changing.refund_create,
    "returnCreate": changing.return_create,
    "fulfillmentCreate": fulfilling.fulfillment_create,
    "fulfillmentTrackingInfoUpdate": fulfilling.tracking_update,
    "fulfillmentOrderHold": fulfilling.hold,
    "fulfillmentOrderReleaseHold": fulfilling.release_hold,
    "inventorySetQuantities": stock.set_quantities,
    "productVariantRelationshipBulkUpdate": bundles.relate,
    "stagedUploadsCreate": bulk.stage,
    "bulkOperationRunMutation": bulk.run_mutation,
    "webhookSubscriptionCreate": subscriptions.create,
    "webhookSubscriptionDelete": subscriptions.delete,
}


@lru_cache(maxsize=1)
def schema() -> GraphQLSchema:
    """Our part of the schema, with times written as the vendor writes them."""
    text = resources.files("engine.sync.sandbox.shopify").joinpath("schema.graphql").read_text()
    built = build_schema(text)
    cast("GraphQLScalarType", built.type_map["DateTime"]).coerce_output_value = views.iso
    for name in ("Decimal", "Money"):
        cast("GraphQLScalarType", built.type_map[name]).coerce_input_value = _amount
    for name in ("Node", "LegacyInteroperability", "DisplayableError"):
        cast("Any", built.type_map[name]).resolve_type = lambda thing, _info, _kind: views.kind_of(thing)
    return built


def _amount(value: Any) -> str:
    """An amount as text or number. Raises ``GraphQLError`` for anything else."""
    try:
        number = Decimal("bool" if isinstance(value, bool) else str(value))
    except InvalidOperation as error:
        raise GraphQLError(f"{value!r} is not a decimal.") from error
    if not number.is_finite() or abs(number) > _LARGEST:
        raise GraphQLError(f"{value!r} is not a decimal.")
    return str(number)


@lru_cache(maxsize=512)
def read_document(text: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """A document with what is wrong with it. Raises ``GraphQLError`` where it cannot be read at all."""
    document = parse(text, no_location=False)
    return document, tuple(validate(schema(), document))


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is meant. Raises ``GraphQLError`` where that is not clear."""
    found = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name:
        found = [one for one in found if one.name and one.name.value == name]
    if len(found) != 1:
        raise GraphQLError(f"No operation named {name!r}" if name else "An operation name is required")
    return found[0]


def root_field(document: DocumentNode, name: str | None) -> str:
    """The first field of the operation: by it journals and faults call it."""
    for one in operation_of(document, name).selection_set.selections:
        if isinstance(one, FieldNode):
            return one.name.value
    return ""


def execute(shop: Shop, document: DocumentNode, variables: Json, name: str | None) -> Json:
    """``data`` and ``errors``, as the specification has them."""
    result = execute_sync(
        schema(),
        document,
        root_value={},
        context_value=shop,
        variable_values=variables,
        operation_name=name,
        field_resolver=_resolve,
    )
    answer: Json = {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(one) for one in result.errors]
    return answer


def _error(error: GraphQLError) -> Json:
    said = dict(error.formatted)
    original = error.original_error
    if isinstance(original, TopLevel):
        said["extensions"] = original.extensions
    elif original is not None and not isinstance(original, GraphQLError):
        said["extensions"] = {"code": "INTERNAL_SERVER_ERROR"}
    return cast("Json", said)


def _resolve(source: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Any:
    shop = cast("Shop", info.context)
    if info.parent_type.name == "Mutation":
        return _mutate(shop, info, args)
    return views.read(info.parent_type.name, info.field_name, source, args, shop)


def _mutate(shop: Shop, info: GraphQLResolveInfo[Any], args: Json) -> Json:
    key = _key(info)
    if info.field_name not in KEYED:
        return _work(shop, info.field_name, args)
    if key is None:
        raise TopLevel("The @idempotent directive is required for this mutation but was not provided.", "BAD_REQUEST")
    return _once(shop, info.field_name, key, args)


def _once(shop: Shop, name: str, key: str, args: Json) -> Json:
    """The answer of the first time for a key that was used before; a refusal of it for other arguments."""
    if shop.racing:
        message = "Another request with this idempotency key is being processed."
        return {"userErrors": [user_error(message, code=_CONCURRENT if name == "inventorySetQuantities" else None)]}
    kept, print_ = shop.state.idempotent, _fingerprint(args)
    known = kept.get((name, key))
    if known is not None and _fresh(known[1], shop.now()):
        if known[0] == print_:
            return known[2]
        message = "The same idempotency key was used with different parameters."
        return {"userErrors": [user_error(message, code=_MISMATCH if name == "inventorySetQuantities" else None)]}
    answer = _work(shop, name, args)
    kept[(name, key)] = (print_, shop.now(), answer)
    return answer


def _fresh(at: datetime, now: datetime) -> bool:
    return now - at < _KEPT


def _fingerprint(args: Json) -> str:
    return hashlib.sha256(json.dumps(args, sort_keys=True, default=str).encode()).hexdigest()


def _work(shop: Shop, name: str, args: Json) -> Json:
    shop.begin_act()
    try:
        return {"userErrors": [], "orderCancelUserErrors": []} | MUTATIONS[name](shop, args)
    except UserErrors as refused:
        return {"userErrors": refused.errors, "orderCancelUserErrors": refused.errors}


def idempotency_keys(operation: OperationDefinitionNode, variables: Json) -> list[str]:
    """The keys of an operation's mutations, each with the name of its mutation."""
    found = []
    fields = (one for one in operation.selection_set.selections if isinstance(one, FieldNode))
    for node in fields:
        for value in _given_keys(node) if node.name.value in KEYED else ():
            key = variables.get(value.name.value) if isinstance(value, VariableNode) else getattr(value, "value", None)
            found.append(f"{node.name.value}:{key}")
    return found


def _given_keys(node: FieldNode) -> list[Any]:
    named = (one for one in node.directives or () if one.name.value == "idempotent")
    return [argument.value for one in named for argument in one.arguments or ()]


def _key(info: GraphQLResolveInfo[Any]) -> str | None:
    for value in _given_keys(info.field_nodes[0]):
        if isinstance(value, StringValueNode):
            return value.value
        if isinstance(value, VariableNode):
            return cast("str | None", _variable(info, value.name.value))
    return None


def _variable(info: GraphQLResolveInfo[Any], name: str) -> Any:
    values = info.variable_values
    return values.get(name) if isinstance(values, dict) else values.coerced.get(name)
