"""A check for developers: our part of the schema, and documents, against the vendor's published schema file.

The file is not ours to ship. ``ICOMMERCE_SHOPIFY_SCHEMA`` says where one lies; without it the check is skipped.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final, cast

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    is_introspection_type,
    is_required_argument,
    is_required_input_field,
    is_specified_scalar_type,
    parse,
    validate,
)

VARIABLE: Final = "ICOMMERCE_SHOPIFY_SCHEMA"


def load(path: Path) -> GraphQLSchema:
    """The vendor's schema from an introspection file, gzipped or not."""
    raw = path.read_bytes()
    told = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return build_client_schema(told.get("data", told), assume_valid=True)


def document_faults(schema: GraphQLSchema, document: str) -> list[str]:
    """What a schema has against a document; nothing where it fits."""
    return [fault.message for fault in validate(schema, parse(document))]


def differences(ours: GraphQLSchema, vendor: GraphQLSchema) -> list[str]:
    """Where our part says something else than the vendor's schema; what we leave out is no difference."""
    found: list[str] = []
    for name, kind in sorted(ours.type_map.items()):
        theirs = vendor.type_map.get(name)
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if theirs is None or type(theirs) is not type(kind):
            found.append(f"{name}: the vendor has no such type")
        elif isinstance(kind, GraphQLEnumType):
            values = cast("GraphQLEnumType", theirs).values
            found += [f"{name}.{value}: the vendor has no such value" for value in kind.values if value not in values]
        elif isinstance(kind, GraphQLInputObjectType):
            found += _inputs(name, kind.fields, cast("Any", theirs).fields)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            found += _fields(name, kind.fields, cast("Any", theirs).fields)
    return found


def _fields(kind: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, field in ours.items():
        other = theirs.get(name)
        if other is None:
            found.append(f"{kind}.{name}: the vendor has no such field")
            continue
        if str(field.type) != str(other.type):
            found.append(f"{kind}.{name}: {field.type}, the vendor's is {other.type}")
        found += _arguments(f"{kind}.{name}", field.args, other.args)
    return found


def _arguments(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    found = [
        f"{where}({name}:): {argument.type}, the vendor's is {theirs[name].type}"
        for name, argument in ours.items()
        if name in theirs and str(argument.type) != str(theirs[name].type)
    ]
    found += [f"{where}({name}:): the vendor has no such argument" for name in ours if name not in theirs]
    return found + [
        f"{where}({name}:): the vendor requires it"
        for name, argument in theirs.items()
        if name not in ours and is_required_argument(argument)
    ]


def _inputs(kind: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    found = []
    for name, field in ours.items():
        if name not in theirs:
            found.append(f"{kind}.{name}: the vendor has no such field")
        elif str(field.type) != str(theirs[name].type):
            found.append(f"{kind}.{name}: {field.type}, the vendor's is {theirs[name].type}")
    return found + [
        f"{kind}.{name}: the vendor requires it"
        for name, field in theirs.items()
        if name not in ours and is_required_input_field(field)
    ]
