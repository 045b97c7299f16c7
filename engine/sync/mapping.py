"""From one document to another by a mapping that was proven to fit when it was saved.

``compile`` looks at everything that can be known without a document: places that exist, kinds that fit, constants and
tables that are valid, nothing required forgotten. ``apply`` is left with what depends on the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import orjson
from jmespath.parser import ParsedResult
from pydantic import BaseModel, ValidationError

from engine.kit.errors import InvalidInput
from engine.kit.ids import echo
from engine.kit.views import View
from engine.sync import expressions, shapes
from engine.sync.errors import FieldFault, Rejected
from engine.sync.expressions import Misfit
from engine.sync.mapping_spec import Lookup, Rule, Spec
from engine.sync.shapes import Place
from engine.sync.transforms import TRANSFORMS, Args, Transform

_DEEPEST: Final = 3
_MOST_SHOWN: Final = 50
_NOTHING: Final = object()


class MappingRefused(InvalidInput):
    """A mapping that cannot be, with every reason."""

    code = "mapping_refused"

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        self.faults = tuple(faults[:_MOST_SHOWN])
        words = "; ".join(f"{one.path}: {one.message}" for one in self.faults[:5])
        super().__init__(f"This mapping does not fit its target. {words}.", param="spec")
        self.more = {"faults": [{"path": one.path, "message": one.message} for one in self.faults]}


class FaultView(View):
    path: str
    message: str


class Tried(View):
    """What a mapping makes of one document: ``result``, or the faults that kept it from it."""

    ok: bool
    result: dict[str, Any] | None
    faults: list[FaultView]


class Difference(View):
    """What two versions make of one document: place → what it was, what it is; of one that fails, its faults."""

    changed: dict[str, list[Any]]
    before: Tried
    after: Tried


@dataclass(frozen=True, slots=True)
class _Step:
    transform: Transform
    args: Args
    currency: ParsedResult | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a value comes from."""

    path: ParsedResult | None
    constant: Any = None
    steps: tuple[_Step, ...] = ()
    lookup: Lookup | None = None
    default: Any = _NOTHING
    whole: bool = False
    each: tuple[_Slot, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Slot:
    keys: tuple[str, ...]
    source: _Source

    @property
    def path(self) -> str:
        return ".".join(self.keys)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mapping that fits its target."""

    target: type[BaseModel]
    slots: tuple[_Slot, ...]


def compile(spec: Mapping[str, Any] | Spec, target: type[BaseModel]) -> Compiled:  # noqa: A001 (its own word)
    """The mapping, ready. Raises ``MappingRefused`` with everything that is wrong with it."""
    written = spec if isinstance(spec, Spec) else _written(spec)
    work = _Compiler(written)
    slots = work.slots(written.fields, target, (), depth=0)
    if work.faults:
        raise MappingRefused(work.faults)
    return Compiled(target, slots)


def apply(compiled: Compiled, document: Any) -> dict[str, Any]:
    """The target's document, as it goes over the wire. Raises ``Rejected`` with every field at fault."""
    work = _Run(document)
    made = work.build(compiled.slots, document, "")
    if not work.faults:
        try:
            checked = compiled.target.model_validate_json(orjson.dumps(made))
        except ValidationError as error:
            work.faults += [_fault(one) for one in error.errors()]
        except TypeError:
            work.faults.append(FieldFault("document", "it holds a number or a text that no document can hold"))
        else:
            return checked.model_dump(mode="json", by_alias=True, exclude_unset=True)
    raise Rejected("The document does not fit where it is to go.", fields=work.faults[:_MOST_SHOWN])


def attempt(compiled: Compiled, document: Any) -> Tried:
    """What ``apply`` comes to, either way."""
    try:
        return Tried(ok=True, result=apply(compiled, document), faults=[])
    except Rejected as error:
        faults = [FaultView(path=one.path, message=one.message) for one in error.fields]
        return Tried(ok=False, result=None, faults=faults)


def dry_run(spec: Mapping[str, Any] | Spec, target: type[BaseModel], documents: Iterable[Any]) -> list[Tried]:
    """What a mapping would make of each document. Raises ``MappingRefused``."""
    compiled = compile(spec, target)
    return [attempt(compiled, document) for document in documents]


def diff(
    old: Mapping[str, Any] | Spec, new: Mapping[str, Any] | Spec, target: type[BaseModel], documents: Iterable[Any]
) -> list[Difference]:
    """What would change by a new version, document by document. Raises ``MappingRefused``."""
    one, other = compile(old, target), compile(new, target)
    return [_difference(attempt(one, document), attempt(other, document)) for document in documents]


def _difference(before: Tried, after: Tried) -> Difference:
    one, other = flat(before.result), flat(after.result)
    places = sorted(set(one) | set(other))
    changed = {key: [one.get(key), other.get(key)] for key in places if one.get(key) != other.get(key)}
    return Difference(changed=changed, before=before, after=after)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """A document as place → value."""
    if isinstance(value, Mapping) and value:
        return {key: one for name, part in value.items() for key, one in flat(part, _under(path, str(name))).items()}
    if isinstance(value, list) and value:
        return {key: one for at, part in enumerate(value) for key, one in flat(part, _under(path, str(at))).items()}
    return {} if value is None and not path else {path: value}


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _written(spec: Mapping[str, Any]) -> Spec:
    try:
        return Spec.model_validate(spec)
    except ValidationError as error:
        raise MappingRefused([_fault(one) for one in error.errors()]) from None


def _fault(error: Any) -> FieldFault:
    known = [echo(str(part), "…") for part in error["loc"] if part != "[key]"]
    return FieldFault(".".join(known)[:200] or "spec", str(error["msg"]).removeprefix("Value error, "))


class _Compiler:
    """One compilation: it goes on after a fault, to tell all of them."""

    def __init__(self, spec: Spec) -> None:
        self._lookups = spec.lookups
        self.faults: list[FieldFault] = []

    def slots(
        self, fields: Mapping[str, Rule], model: type[BaseModel], above: tuple[str, ...], *, depth: int
    ) -> tuple[_Slot, ...]:
        found: list[_Slot] = []
        for written, rule in fields.items():
            where = ".".join((*above, written))
            walked = self._walk(written, model, where)
            if walked is None:
                continue
            keys, place = walked
            source = self._source(rule, place, where, depth)
            if source is not None:
                found.append(_Slot(keys, source))
        self._check_overlap([slot.keys for slot in found], above)
        self._check_required([slot.keys for slot in found], model, above)
        return tuple(found)

    def _refuse(self, path: str, message: str) -> None:
        self.faults.append(FieldFault(path, message))

    def _walk(self, written: str, model: type[BaseModel], where: str) -> tuple[tuple[str, ...], Place] | None:
        names, keys, at = written.split("."), [], model
        place: Place | None = None
        for number, name in enumerate(names):
            known = shapes.places(at).get(name)
            if known is None and (not name or not shapes.free(at)):
                self._refuse(where, f"{at.__name__} has no {echo(name, 'such field')}")
                return None
            place = known or shapes.unknown(name)
            keys.append(place.key)
            last = number == len(names) - 1
            if not last and place.adapter is None:
                return (*keys, *names[number + 1 :]), shapes.unknown(names[-1])
            if not last and place.model is None:
                what = "a list: use each" if place.item else "nothing that has fields"
                self._refuse(where, f"{echo(name, 'it')} is {what}")
                return None
            at = place.model or at
        assert place is not None
        return tuple(keys), place

    def _source(self, rule: Rule, place: Place, where: str, depth: int) -> _Source | None:
        if rule.each is not None:
            return self._each(rule, place, where, depth)
        if rule.path is None:
            self._check_value(place, rule.constant, where)
            return _Source(None, constant=rule.constant)
        path = self._expression(rule.path, where)
        steps = self._steps(rule, where)
        table = self._table(rule, place, where)
        default = rule.default if "default" in rule.model_fields_set else _NOTHING
        if default is not _NOTHING:
            self._check_value(place, default, where)
        kind = steps[-1].transform.gives if steps else expressions.kind(path) if path else None
        if table is None and not place.takes(kind):
            self._refuse(where, f"it takes {_either(place.kinds)}, and gets {kind}")
        return _Source(path, None, steps, table, default, rule.whole) if path else None

    def _each(self, rule: Rule, place: Place, where: str, depth: int) -> _Source | None:
        assert rule.each is not None
        assert rule.fields is not None
        if place.item is None or depth >= _DEEPEST:
            self._refuse(where, "it is no list of things with fields" if place.item is None else "it lies too deep")
            return None
        path = self._expression(rule.each, where)
        below = self.slots(rule.fields, place.item, (where,), depth=depth + 1)
        return _Source(path, whole=rule.whole, each=below) if path else None

    def _expression(self, written: str, where: str) -> ParsedResult | None:
        try:
            return expressions.compiled(written)
        except ValueError as error:
            self._refuse(where, str(error))
            return None

    def _steps(self, rule: Rule, where: str) -> tuple[_Step, ...]:
        found = []
        for step in rule.transform:
            known = TRANSFORMS.get(step.name)
            if known is None:
                self._refuse(where, f"there is no transform {echo(step.name, 'of that name')}")
                continue
            try:
                args = known.args.model_validate(step.args)
            except ValidationError as error:
                fault = _fault(error.errors()[0])
                self._refuse(where, f"{step.name}: {fault.path} {fault.message}")
                continue
            said = getattr(args, "currency", "")
            currency = self._expression(said[1:], where) if said.startswith("=") else None
            found.append(_Step(known, args, currency))
        return tuple(found)

    def _table(self, rule: Rule, place: Place, where: str) -> Lookup | None:
        if rule.lookup is None:
            return None
        table = self._lookups.get(rule.lookup)
        if table is None:
            self._refuse(where, f"there is no lookup {echo(rule.lookup, 'of that name')}")
            return None
        values = [*table.values.values(), *([table.otherwise] if "otherwise" in table.model_fields_set else [])]
        for value in values:
            if value is not None and not self._check_value(place, value, f"{where} (lookup {rule.lookup})"):
                break
        return table

    def _check_value(self, place: Place, value: Any, where: str) -> bool:
        refusal = place.refusal(value)
        if refusal is not None:
            self._refuse(where, refusal)
        return refusal is None

    def _check_overlap(self, found: Sequence[tuple[str, ...]], above: tuple[str, ...]) -> None:
        seen = sorted(found)
        for one, other in pairwise(seen):
            if other[: len(one)] == one:
                self._refuse(".".join((*above, *other)), "it is said twice")

    def _check_required(self, found: Sequence[tuple[str, ...]], model: type[BaseModel], above: tuple[str, ...]) -> None:
        """Of a thing that is spoken of at all, nothing that it must have is left out."""
        for place in {place.key: place for place in shapes.places(model).values()}.values():
            below = [keys[1:] for keys in found if keys[0] == place.key]
            if not below and place.required:
                self._refuse(".".join((*above, place.key)), "it must be there, and nothing is said of it")
            elif place.model is not None and below and all(below):
                self._check_required(below, place.model, (*above, place.key))


class _Run:
    """One document on its way."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self.faults: list[FieldFault] = []

    def build(self, slots: Sequence[_Slot], at: Any, above: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for slot in slots:
            where = _under(above, slot.path)
            try:
                value = self._value(slot.source, at, where)
            except ValueError as error:
                self.faults.append(FieldFault(where, str(error)))
                continue
            if value is not None:
                _put(made, slot.keys, value)
        return made

    def _value(self, source: _Source, at: Any, where: str) -> Any:
        if source.path is None:
            return source.constant
        found = expressions.search(source.path, self._document if source.whole else at)
        if source.each is not None:
            return self._list(source.each, found, where)
        for step in source.steps:
            found = None if found is None else step.transform.run(found, self._told(step))
        if found is not None and source.lookup is not None:
            found = _looked_up(source.lookup, found)
        if found is None and source.default is not _NOTHING:
            return source.default
        return found

    def _list(self, slots: tuple[_Slot, ...], found: Any, where: str) -> list[dict[str, Any]] | None:
        if found is None:
            return None
        if not isinstance(found, list):
            raise Misfit("it is no list")
        return [self.build(slots, one, _under(where, str(number))) for number, one in enumerate(found)]

    def _told(self, step: _Step) -> Args:
        if step.currency is None:
            return step.args
        said = expressions.search(step.currency, self._document)
        if not isinstance(said, str):
            raise Misfit("the document says no currency")
        return step.args.model_copy(update={"currency": said})


def _looked_up(table: Lookup, found: Any) -> Any:
    key = found if isinstance(found, str) else str(found)
    if key in table.values:
        return table.values[key]
    if "otherwise" in table.model_fields_set:
        return table.otherwise
    raise Misfit(f"{echo(key, 'this value')} is not in its table")


def _put(made: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        made = made.setdefault(key, {})
    made[keys[-1]] = value


def _either(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(set(kinds) - {"null"}))
