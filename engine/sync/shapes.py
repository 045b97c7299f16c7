"""What a target model takes at each of its places."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Union, cast, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

ANY: frozenset[str] = frozenset({"any"})


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a target. ``key`` is its name on the wire; ``kinds`` are JSON's words for what it takes."""

    key: str
    kinds: frozenset[str]
    adapter: TypeAdapter[Any] | None
    required: bool
    model: type[BaseModel] | None
    """What lies below it."""
    item: type[BaseModel] | None
    """What its list is made of."""

    def refusal(self, value: Any) -> str | None:
        """Why a value cannot stand here; ``None`` where it can."""
        if self.adapter is None:
            return None
        try:
            self.adapter.validate_json(orjson.dumps(value))
        except ValidationError as error:
            return str(error.errors()[0]["msg"])
        except TypeError:
            return "this is no JSON"
        return None

    def takes(self, kind: str | None) -> bool:
        """Whether what gives ``kind`` can stand here."""
        if kind in {None, "any", "null"} or self.kinds == ANY:
            return True
        return kind in self.kinds or (kind == "integer" and "number" in self.kinds)


@lru_cache(maxsize=500)
def places(model: type[BaseModel]) -> Mapping[str, Place]:
    """A model's fields, by the names under which a mapping may name them: on the wire, and in Python."""
    found: dict[str, Place] = {}
    for name, field in model.model_fields.items():
        key = field.validation_alias if isinstance(field.validation_alias, str) else field.alias or name
        place = _place(key, field)
        found[key] = place
        found.setdefault(name, place)
    return found


def free(model: type[BaseModel]) -> bool:
    """Whether a model takes names that it does not know (a system's custom fields)."""
    return model.model_config.get("extra") == "allow"


def unknown(key: str) -> Place:
    """A custom field: anything may stand there."""
    return Place(key, ANY, None, required=False, model=None, item=None)


def _place(key: str, field: FieldInfo) -> Place:
    annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", annotation))
    kinds = _kinds(adapter)
    plain = _plain(field.annotation)
    item = _plain(get_args(plain)[0]) if get_origin(plain) in {list, tuple} and get_args(plain) else None
    return Place(key, kinds, adapter, field.is_required(), _as_model(plain), _as_model(item))


def _as_model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _plain(annotation: Any) -> Any:
    """Without ``Annotated`` and ``None``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, types.UnionType}:
        left = [one for one in get_args(annotation) if one is not type(None)]
        return _plain(left[0]) if len(left) == 1 else annotation
    return annotation


def _kinds(adapter: TypeAdapter[Any]) -> frozenset[str]:
    try:
        schema = adapter.json_schema()
    except PydanticUserError:
        return ANY
    return frozenset(_read(schema, schema.get("$defs", {}), depth=0)) or ANY


def _read(schema: Mapping[str, Any], known: Mapping[str, Any], *, depth: int) -> set[str]:
    if depth > 8:
        return set(ANY)
    if "$ref" in schema:
        return _read(known[schema["$ref"].rpartition("/")[2]], known, depth=depth + 1)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return {kind for one in schema[several] for kind in _read(one, known, depth=depth + 1)}
    kind = schema.get("type")
    return set(ANY) if kind is None else {kind} if isinstance(kind, str) else set(kind)
