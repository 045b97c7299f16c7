"""A transaction in one round trip, on libpq itself, where every millisecond counts.

Statements that are asked together travel together (pipeline mode), each sees what the ones before it did, and they are
committed together: the first that fails ends them all. So a statement that finds the world other than expected has to
fail: it divides by the number of rows it changed, and ``Refused`` is what a division by none is here.

They are prepared, with one plan for all values: a statement for here finds its rows by key and writes a bounded number
of them. Whole numbers are sent with one width, or each would have a plan of its own.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from select import POLLIN, POLLOUT, poll
from typing import Any, Final
from weakref import WeakSet

import orjson
from psycopg import Connection, abc
from psycopg import Error as PsycopgError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import (
    DatabaseError,
    DataError,
    DivisionByZero,
    InFailedSqlTransaction,
    InvalidSqlStatementName,
    OperationalError,
    lookup,
)
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int8
from sqlalchemy import Connection as Line
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

Row = dict[str, Any]
Refused = DivisionByZero
_PLACE: Final = re.compile(r"%\((\w+)\)s")
_GOOD: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})
_UNDER_WAY: Final = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NOT_WRITTEN: Final = (PsycopgError, ValueError, TypeError, OverflowError, struct.error)
"""What comes of a value that the database has no form for."""
_TOLD: Final = 60
"""Letters of each statement that an error tells."""
_NAMES: Final = "direct_names"
"""What was prepared on a connection, kept with it."""
_LATER: Final = "direct_later"
"""What is asked with whatever comes next on a connection."""
_REMEMBERED: Final[WeakSet[Engine]] = WeakSet()


class Unwritable(DataError):
    """A value that no column holds: nothing was asked."""


class Statement:
    """SQL with ``%(name)s`` for its values, taken apart once and not at every use."""

    def __init__(self, sql: str) -> None:
        self.text = sql
        self.names = tuple(dict.fromkeys(_PLACE.findall(sql)))
        self.formats = [PyFormat.AUTO] * len(self.names)
        numbers = {name: f"${number}" for number, name in enumerate(self.names, 1)}
        self.sql = _PLACE.sub(lambda found: numbers[found[1]], sql).encode()


Ask = tuple[Statement, Mapping[str, Any]]


def document(value: Any) -> Jsonb:
    """A value that is JSON, written in a tenth of the time. Raises ``TypeError`` for what no body of ours may hold:
    numbers of more than 64 bits, names that are no text, the character NUL, halves of characters.
    """
    return Jsonb(value, dumps=_dumped)


def column(value: Any) -> Jsonb:
    """As ``document``, of what a column of the mapper's takes: names that are numbers are written as text."""
    return Jsonb(value, dumps=_dumped_any)


def _dumped_any(value: Any) -> bytes:
    return _dumped(value, orjson.OPT_NON_STR_KEYS)


def _dumped(value: Any, option: int = 0) -> bytes:
    return without_nul(orjson.dumps(value, option=option))


def without_nul(said: bytes) -> bytes:
    """JSON that a column can hold. Raises ``TypeError``."""
    if b"u0000" in said and _NUL.search(said):
        raise TypeError("text cannot hold the character NUL")
    return said


_PLANNER: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Plans that hold, whatever the tables' size was when they were made: row after row, each by its key."""
_SET: Final = "".join(f", set_config('{name}', '{value}', true)" for name, value in _PLANNER.items())
BIND: Final = Statement("SELECT set_config('app.tenant_id', %(tenant)s, true)" + _SET)
_BIND_ALONE: Final = Statement("SELECT set_config('app.tenant_id', %(tenant)s, true)")
_BEGIN: Final = Statement("BEGIN")
_COMMIT: Final = Statement("COMMIT")
_BOUNDS: Final = frozenset({_BEGIN, _COMMIT, BIND, _BIND_ALONE})
_PLAN_AGAIN: Final = 1000
"""A plan is right for tables of about the size they had: each connection plans anew after 10, 100 and every 1000 uses,
so that one made for an empty table does not go on by an index that once was as good as any other."""


class Answers:
    """The rows of each statement, in order, once its transaction is committed."""

    def __init__(self) -> None:
        self._rows: list[list[Row]] = []

    def rows(self) -> list[list[Row]]:
        return self._rows

    def take(self, found: Sequence[list[Row]]) -> None:
        self._rows = list(found)


@contextmanager
def asking(engine: Engine, tenant_id: str, *asks: Ask) -> Iterator[Answers]:
    """Send the statements and the commit; the block's work goes on beside the database's.

    Raises ``Refused`` and the driver's other errors when the block has ended; then nothing was changed. ``Unwritable``
    before it has begun.
    """
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    assert isinstance(driver, Connection)
    answers = Answers()
    try:
        trip = _Trip(driver, pooled.info, _packed(driver, (BIND, {"tenant": tenant_id}), *asks))
        try:
            trip.depart()
            yield answers
            answers.take(trip.finish()[1:])
        except BaseException:
            if trip.under_way:  # nobody knows what this connection still has to say
                pooled.invalidate()
            raise
    finally:
        pooled.close()


def begin_bound(connection: Line, tenant_id: str, *, keyed: bool = False) -> None:
    """Have the connection's transaction begin, bound to its tenant, with whatever is asked first. ``keyed``: what it
    asks finds its rows by key, so a statement that is asked often is planned once for all values.
    """
    later(connection, (_BEGIN, {}), (BIND if keyed else _BIND_ALONE, {"tenant": tenant_id}))


def later(connection: Line, *asks: Ask) -> None:
    """Ask these, of which no row is wanted, with whatever is asked next on the connection, and before it; at the latest
    with the end of the transaction. What refuses them is raised there.

    Raises ``DataError`` of a value that cannot be written, at once: none of them is asked then.
    """
    if connection.engine in _REMEMBERED:
        connection.info.setdefault(_LATER, []).extend(_ready(connection, asks))
    else:
        within(connection, *asks)


def within(connection: Line, *asks: Ask) -> list[list[Row]]:
    """The rows of each statement, asked in one trip in the connection's transaction. Where none is under way it begins:
    the trip's end would commit what was asked outside of one.

    Raises what SQLAlchemy makes of the driver's errors; then the transaction has failed. Of a value that cannot be
    written (``DataError``) it has not: nothing was asked.
    """
    pooled, ready = connection.connection, _ready(connection, asks)
    driver = pooled.driver_connection
    assert isinstance(driver, Connection)
    before: list[_Packed] = pooled.info.pop(_LATER, [])
    begun = driver.autocommit or driver.pgconn.transaction_status != TransactionStatus.IDLE
    if not begun and (not before or before[0][0] is not _BEGIN):
        before = [*_packed(driver, (_BEGIN, {})), *before]
    trip = _Trip(driver, pooled.info, [*before, *ready])
    _announce(connection, trip.packed)
    try:
        trip.depart()
        return trip.finish()[len(before) :]
    except BaseException as error:
        if trip.under_way:
            connection.invalidate()
        if isinstance(error, PsycopgError):
            raise _told(error, trip.packed) from error
        raise


def _ready(connection: Line, asks: Sequence[Ask]) -> list[_Packed]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, Connection)
    try:
        return _packed(driver, *asks)
    except Unwritable as error:
        raise _told(error, asks) from error


def _told(error: PsycopgError, asks: Sequence[Ask] | Sequence[_Packed]) -> BaseException:
    words = " ".join(statement.text[:_TOLD] for statement, *_ in asks)
    return DBAPIError.instance(words, None, error, PsycopgError, hide_parameters=True)


def _announce(connection: Line, asks: Sequence[_Packed]) -> None:
    """Who listens to the engine's statements hears of the trip, as of one; of a transaction's bounds nobody does."""
    said = "; ".join(statement.text for statement, *_ in asks if statement not in _BOUNDS)
    for hear in connection.dispatch.before_cursor_execute if said else ():
        hear(connection, None, said, {}, None, False)


def roll_back(connection: Line) -> None:
    """End the connection's transaction with nothing done, and keep what is prepared: the driver would throw it away."""
    if not _there(connection):
        return
    connection.info.pop(_LATER, None)
    driver = connection.connection.driver_connection
    assert isinstance(driver, Connection)
    if driver.pgconn.transaction_status in _UNDER_WAY:
        driver.pgconn.exec_(b"ROLLBACK")


def settle(connection: Line) -> None:
    """Ask now what waits to be asked with the next statement."""
    if connection.info.get(_LATER):
        within(connection)


def _there(connection: Line) -> bool:
    """Whether it has a line still: one that was lost is not asked for anything, or it says so instead of what it was
    lost over.
    """
    return not (connection.closed or connection.invalidated)


def remember(engine: Engine) -> None:
    """From now on what waits on the engine's connections is asked in its turn, and it is known of them when the driver
    throws away what was prepared.
    """
    _REMEMBERED.add(engine)

    @event.listens_for(engine, "before_cursor_execute")
    def _(connection: Line, *_: Any) -> None:
        settle(connection)

    @event.listens_for(engine, "commit")
    def _(connection: Line) -> None:
        try:
            _commit(connection)
        except BaseException:
            roll_back(connection)
            raise

    @event.listens_for(engine, "rollback")
    def _(connection: Line) -> None:
        _forget(connection)

    @event.listens_for(engine, "rollback_savepoint")
    def _(connection: Line, _name: str, _context: None) -> None:
        if _there(connection):
            connection.info.pop(_NAMES, None)
            connection.info.pop(_LATER, None)


def _commit(connection: Line) -> None:
    """Send the end with what waits. A transaction that has failed has none: the database would take the ``COMMIT`` for
    a ``ROLLBACK`` and say nothing, and whoever caught what it failed of would take all for written.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, Connection) and driver.pgconn.transaction_status == TransactionStatus.INERROR:
        error = InFailedSqlTransaction("the transaction has failed: nothing of it is written")
        raise _told(error, [(_COMMIT, {})]) from None
    if connection.info.get(_LATER):
        within(connection, (_COMMIT, {}))


def _forget(connection: Line) -> None:
    if not _there(connection):
        return
    connection.info.pop(_LATER, None)
    driver = connection.connection.driver_connection
    if isinstance(driver, Connection) and driver.pgconn.transaction_status in _UNDER_WAY:
        connection.info.pop(_NAMES, None)


_Key = tuple[Statement, tuple[int, ...]]


_Packed = tuple[Statement, abc.Transformer, Sequence[abc.Buffer | None]]
"""A statement, and its values as they travel."""


class _Trip:
    """One pipeline on one connection."""

    def __init__(self, driver: Connection[Any], info: dict[Any, Any], packed: Sequence[_Packed]) -> None:
        self._info, self.packed = info, packed
        self._line: PGconn = driver.pgconn
        self._names: dict[_Key, bytes] = info.setdefault(_NAMES, {})
        self._asked: list[abc.Transformer | None] = []
        self._prepared: dict[_Key, tuple[int, bytes]] = {}
        self.under_way = False

    def depart(self) -> None:
        """Let the database begin."""
        self._plan_anew()
        self._line.enter_pipeline_mode()
        self.under_way = True
        self._send_all()

    def finish(self) -> list[list[Row]]:
        """What came back."""
        results = self._results()
        if any(_code(result) == InvalidSqlStatementName.sqlstate for result in results):
            self._names.clear()  # the driver has dropped what was prepared
            if self._line.transaction_status == TransactionStatus.IDLE:  # nothing happened, once more
                self._send_all()
                results = self._results()
        self._line.exit_pipeline_mode()
        self.under_way = False
        for result in results:
            if result.status not in _GOOD:
                raise _error(result)
        return [_rows(types, result) for types, result in zip(self._asked, results, strict=True) if types]

    def _send_all(self) -> None:
        self._asked, self._prepared = [], {}
        for statement, types, sent in self.packed:
            self._line.send_query_prepared(self._name(statement, types), sent, param_formats=types.formats)
            self._asked.append(types)
        self._line.pipeline_sync()
        while self._line.flush():
            self._wait(POLLIN | POLLOUT)
            self._line.consume_input()

    def _name(self, statement: Statement, types: abc.Transformer) -> bytes:
        """Under which it is prepared, here or earlier."""
        key = (statement, types.types or ())
        if (name := self._names.get(key)) is not None:
            return name
        if key not in self._prepared:
            number = self._info["direct_prepared"] = self._info.get("direct_prepared", 0) + 1
            self._prepared[key] = (len(self._asked), b"direct_%d" % number)
            self._line.send_prepare(self._prepared[key][1], statement.sql, param_types=types.types)
            self._asked.append(None)
        return self._prepared[key][1]

    def _keep_names(self, results: Sequence[PGresult]) -> None:
        """What was prepared is known from now on; what stood behind an error was not."""
        for key, (place, name) in self._prepared.items():
            if results[place].status in _GOOD:
                self._names[key] = name

    def _results(self) -> list[PGresult]:
        """Everything up to the end of the transaction, which is committed by then."""
        results: list[PGresult] = []
        while True:
            while self._line.is_busy():
                self._wait(POLLIN)
                self._line.consume_input()
            result = self._line.get_result()
            if result is None:  # the end of one statement's results
                if self._line.status == ConnStatus.BAD:
                    raise OperationalError("the connection was lost")
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                self._keep_names(results)
                return results
            results.append(result)

    def _wait(self, events: int) -> None:
        waiter = poll()
        waiter.register(self._line.socket, events)
        waiter.poll()

    def _plan_anew(self) -> None:
        uses = self._info["direct_uses"] = self._info.get("direct_uses", 0) + 1
        if uses in {10, 100} or uses % _PLAN_AGAIN == 0:
            self._line.exec_(b"DISCARD PLANS")


def _packed(driver: Connection[Any], *asks: Ask) -> list[_Packed]:
    """The values as they travel. Raises ``Unwritable`` that names the first that cannot."""
    return [(statement, *_written(driver, statement, values)) for statement, values in asks]


def _written(
    driver: Connection[Any], statement: Statement, values: Mapping[str, Any]
) -> tuple[abc.Transformer, Sequence[abc.Buffer | None]]:
    types: abc.Transformer = Transformer(driver)
    given = [Int8(value) if type(value := values[name]) is int else value for name in statement.names]
    try:
        return types, types.dump_sequence(given, statement.formats)
    except _NOT_WRITTEN:
        for name, value in zip(statement.names, given, strict=True):
            _try(driver, name, value)
        raise


def _try(driver: Connection[Any], name: str, value: Any) -> None:
    try:
        Transformer(driver).dump_sequence([value], [PyFormat.AUTO])
    except _NOT_WRITTEN as error:
        raise Unwritable(f"The value {name!r} cannot be written: {error}") from None


def _code(result: PGresult) -> str:
    return (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()


def _error(result: PGresult) -> Exception:
    words = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
    code = _code(result)
    if not code:
        return OperationalError(words or "the connection was lost")
    try:
        return lookup(code)(words)
    except KeyError:  # a code that the driver has no name for
        return DatabaseError(f"{code}: {words}")


def _rows(types: abc.Transformer, result: PGresult) -> list[Row]:
    types.set_pgresult(result)
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return [dict(zip(names, row, strict=True)) for row in types.load_rows(0, result.ntuples, tuple)]
