"""The embedded server's life: first start, settings, attach, adoption after a kill, what it refuses."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

import engine.embedded.binaries
import engine.embedded.cluster
import engine.embedded.postmaster
import engine.embedded_postgres
from engine.embedded.place import (
    SOCKET_NAME,
    Account,
    Place,
    check_own_folder,
    find_place,
    own_folder,
    place_at,
)
from engine.embedded.postmaster import is_ours
from engine.embedded_postgres import (
    PASSWORD_SECRET,
    SUPERUSER,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    attach,
    read_secrets,
    start_or_attach,
    update_secrets,
    wipe,
)

REPOSITORY = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root drops to another user")

APP = """
import pathlib, sys
from engine.embedded_postgres import start_or_attach
server = start_or_attach(pathlib.Path(sys.argv[1]), durable=False, adopt=True)
print(server.pid, server.started_here, flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True)
class App:
    process: subprocess.Popen[str]
    postmaster_pid: int
    owns: bool

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One running server for tests that leave it as it is."""
    home = tmp_path_factory.mktemp("shared")
    yield start_or_attach(home, durable=False)
    wipe(home)


@pytest.fixture(scope="module")
def stopped_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("stopped")
    start_or_attach(home, durable=False).stop()
    yield home
    wipe(home)


@pytest.fixture
def home(stopped_home: Path) -> Iterator[Path]:
    """A home with a stopped cluster, for tests that start, kill and stop servers."""
    yield stopped_home
    if attach(stopped_home):
        start_or_attach(stopped_home, durable=False, adopt=True).stop()


@contextmanager
def running_app(home: Path) -> Iterator[App]:
    """Another process that starts or adopts the home's server, as the serving app does."""
    process = subprocess.Popen(
        [sys.executable, "-c", APP, str(home)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        pid, owns = process.stdout.readline().split()
        yield App(process, int(pid), owns == "True")
    finally:
        with suppress(BrokenPipeError):
            process.communicate(timeout=30)


def super_dsn(server: EmbeddedPostgres, database: str = "icommerce") -> str:
    return server.dsn(role=SUPERUSER, password=read_secrets(server.home)[PASSWORD_SECRET], database=database)


def query(server: EmbeddedPostgres, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(super_dsn(server), autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def read_log(server: EmbeddedPostgres) -> str:
    return "".join(path.read_text() for path in (server.data_dir.parent / "log").iterdir())


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


# Secrets


def test_secrets_keep_the_names_of_others(tmp_path: Path) -> None:
    assert read_secrets(tmp_path) == {}
    assert update_secrets(tmp_path, cookie_key="a", other="b") == {"cookie_key": "a", "other": "b"}
    assert update_secrets(tmp_path, cookie_key="c") == {"cookie_key": "c", "other": "b"}
    assert read_secrets(tmp_path) == {"cookie_key": "c", "other": "b"}
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.json", "secrets.json.lock"]


def test_secrets_written_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: update_secrets(tmp_path, **{f"name_{n}": str(n)}), range(24)))
    assert read_secrets(tmp_path) == {f"name_{n}": str(n) for n in range(24)}


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_a_broken_secrets_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(EmbeddedPostgresError):
        update_secrets(tmp_path, name="value")
    assert (tmp_path / "secrets.json").read_text() == text


# A running server


def test_settings_of_a_throwaway_cluster(server: EmbeddedPostgres) -> None:
    expected = {
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        "password_encryption": "scram-sha-256",
        "max_connections": "120",
        "shared_buffers": "128MB",
        "unix_socket_permissions": "0700",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
    }
    assert {name: query(server, f"SHOW {name}")[0][0] for name in expected} == expected
    assert query(server, "SHOW server_version")[0][0].startswith("18.")


def test_text_is_unicode_on_every_system(server: EmbeddedPostgres) -> None:
    database = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'icommerce'"
    assert query(server, database) == [("b", "C.UTF-8")]
    assert query(server, "SELECT lower('ÉCLAIR'), to_tsvector('simple', 'ÉCLAIR')::text") == [("éclair", "'éclair':1")]


def test_everyone_needs_a_password_and_nothing_listens_on_tcp(server: EmbeddedPostgres) -> None:
    rules = "SELECT type, database, user_name, auth_method, error FROM pg_hba_file_rules"
    assert query(server, rules) == [("local", ["all"], ["all"], "scram-sha-256", None)]
    for wrong in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn(role=SUPERUSER, password=wrong))
    assert psutil.Process(server.pid).net_connections(kind="inet") == []


def test_folders_are_closed_and_the_server_has_its_own_session(server: EmbeddedPostgres) -> None:
    owner = server.data_dir.stat().st_uid
    for folder in (server.data_dir, server.socket_dir, server.data_dir.parent / "log"):
        check_own_folder(folder, owner)
    assert psutil.Process(server.pid).uids().real == owner != 0
    assert os.getsid(server.pid) == server.pid
    logs = list((server.data_dir.parent / "log").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in logs] == [0o600]


def test_the_log_holds_no_statement_and_no_value(server: EmbeddedPostgres) -> None:
    query(server, "CREATE TABLE person (email text PRIMARY KEY)")
    for _ in range(2):
        with suppress(psycopg.errors.UniqueViolation):
            query(server, "INSERT INTO person VALUES ('someone@example.com')")
    while "duplicate key" not in (log := read_log(server)):  # written by a process of its own
        time.sleep(0.01)
    assert "someone@example.com" not in log


def test_dsn_quotes_what_it_is_given(server: EmbeddedPostgres) -> None:
    password = "p@ss/ w:rd?&=%'ü"  # gitleaks:allow
    query(server, f"""CREATE ROLE "shop:run@" LOGIN PASSWORD '{password.replace("'", "''")}'""")
    dsn = server.dsn(role="shop:run@", password=password)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == (
            "shop:run@",
            "icommerce",
        )
    bound = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    with bound.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT current_user")).scalar_one() == "shop:run@"
    bound.dispose()


# Attaching


def test_a_second_caller_attaches_and_cannot_stop(server: EmbeddedPostgres) -> None:
    second = start_or_attach(server.home, durable=False)
    assert (second.pid, second.socket_dir, second.started_here) == (server.pid, server.socket_dir, False)
    second.stop()
    assert query(server, "SELECT 1") == [(1,)]


def test_a_command_line_beside_the_server_attaches(server: EmbeddedPostgres) -> None:
    code = (
        "import pathlib, sys; from engine.embedded_postgres import attach;"
        "found = attach(pathlib.Path(sys.argv[1])); print(found.pid, found.started_here); found.stop()"
    )
    beside = subprocess.run(
        [sys.executable, "-c", code, str(server.home)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert beside.stdout.split() == [str(server.pid), "False"]
    assert query(server, "SELECT 1") == [(1,)]


def test_attach_never_starts_or_creates(tmp_path: Path) -> None:
    assert attach(tmp_path / "none") is None
    assert list(tmp_path.iterdir()) == []


def test_starting_at_once_makes_one_server_with_one_owner(home: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        servers = list(pool.map(lambda _: start_or_attach(home, durable=False), range(3)))
    assert len({server.pid for server in servers}) == 1
    assert sorted(server.started_here for server in servers) == [False, False, True]


# First start, stop and start again


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "new"
    wipe(tmp_path / "new")


def test_first_start_stop_and_start_again(new_home: Path) -> None:
    said: list[str] = []
    first = start_or_attach(new_home, progress=said.append)
    assert said[-2:] == ["Creating the database (first start only)", "Starting PostgreSQL"]
    settings = ("fsync", "full_page_writes", "synchronous_commit")
    assert [query(first, f"SHOW {name}")[0][0] for name in settings] == ["on", "on", "on"]
    query(first, "CREATE TABLE kept AS SELECT 7 AS n")
    secrets = read_secrets(new_home)
    first.stop()
    first.stop()
    assert gone(first.pid)
    assert not (first.data_dir / "postmaster.pid").exists()
    assert not first.socket_dir.exists()
    assert attach(new_home) is None

    said.clear()
    second = start_or_attach(new_home, durable=False, progress=said.append)
    assert said == ["Starting PostgreSQL"]
    assert second.pid != first.pid
    assert query(second, "SELECT n FROM kept") == [(7,)]
    assert read_secrets(new_home) == secrets


def test_a_first_start_that_was_cut_off_is_begun_anew(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(place: Place, *_: object, **__: object) -> None:
        (place.root / "data.new" / "half").touch()
        raise OSError("cut off")

    with monkeypatch.context() as broken:
        broken.setattr(engine.embedded.cluster, "run", cut_off)
        with pytest.raises(EmbeddedPostgresError, match="cut off"):
            start_or_attach(new_home, durable=False)
    assert attach(new_home) is None
    server = start_or_attach(new_home, durable=False)
    assert server.started_here
    assert not (server.data_dir / "half").exists()
    left = {path.name for path in server.data_dir.parent.iterdir()}
    assert left - {"home"} == {
        "data", "log", "run", "owner.lock", "pg_hba.conf", "postgresql.conf", "start.log",
    }  # fmt: skip


def test_a_home_path_too_long_for_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 50) / 'it\'s a \\home, "100%"'
    try:
        server = start_or_attach(home, durable=False)
        assert len(os.fsencode(server.socket_dir / SOCKET_NAME)) <= 100
        assert query(server, "SELECT 1") == [(1,)]
        assert attach(home) == EmbeddedPostgres(home, server.data_dir, server.socket_dir, server.pid, False)
        server.stop()
        assert not server.socket_dir.exists()
    finally:
        wipe(home)


def test_a_lost_password_is_told_and_the_data_left_alone(home: Path) -> None:
    server = start_or_attach(home, durable=False)
    server.stop()
    secrets = (home / "secrets.json").read_text()
    (home / "secrets.json").unlink()
    with pytest.raises(EmbeddedPostgresError, match="restore that file"):
        start_or_attach(home, durable=False)
    (home / "secrets.json").write_text(secrets)
    start_or_attach(home, durable=False)


def test_a_failed_start_shows_the_log_and_can_be_repeated(home: Path) -> None:
    server = start_or_attach(home, durable=False)
    server.stop()
    version = server.data_dir / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match="database files are incompatible"):
        start_or_attach(home, durable=False)
    version.write_text("18\n")
    assert start_or_attach(home, durable=False).started_here


# Killed apps, killed servers, strangers


def test_the_next_app_adopts_the_server_of_a_killed_one_and_stops_it(home: Path) -> None:
    with running_app(home) as app:
        assert app.owns
        live = start_or_attach(home, durable=False, adopt=True)
        assert (live.pid, live.started_here) == (app.postmaster_pid, False)  # its owner lives
        app.kill()
    with running_app(home) as next_app:
        assert (next_app.postmaster_pid, next_app.owns) == (app.postmaster_pid, True)
    assert next_app.process.returncode == 0
    wait_gone(app.postmaster_pid)
    assert attach(home) is None


def test_a_killed_postmaster_is_replaced_after_its_orphans(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.embedded.postmaster, "_ORPHANS_LEAVE_SECONDS", 0.2)
    first = start_or_attach(home, durable=False)
    query(first, "CREATE TABLE kept AS SELECT 7 AS n")
    query(first, "CHECKPOINT")
    backends: list[int] = []

    def work() -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(super_dsn(first)) as connection:
            backends.append(connection.info.backend_pid)
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000) AS busy")

    worker = threading.Thread(target=work)
    worker.start()
    while not query(first, "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%busy'"):
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    second = start_or_attach(home, durable=False)
    worker.join(60)
    assert gone(backends[0])
    assert (second.pid != first.pid, second.started_here) == (True, True)
    assert query(second, "SELECT n FROM kept") == [(7,)]
    first.stop()  # the same owner: one server, whichever handle asks
    assert gone(second.pid)


def test_a_dead_server_of_a_living_owner_is_not_replaced_by_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.embedded_postgres, "_OWNER_TIMEOUT_SECONDS", 0.1)
    with running_app(home) as app:
        os.kill(app.postmaster_pid, signal.SIGKILL)
        wait_gone(app.postmaster_pid)
        with pytest.raises(EmbeddedPostgresError, match="another living process"):
            start_or_attach(home, durable=False)
    assert start_or_attach(home, durable=False).started_here


def test_a_stale_pid_file_that_names_a_stranger(home: Path) -> None:
    server = start_or_attach(home, durable=False)
    pid_file, lock = server.data_dir / "postmaster.pid", server.socket_dir / f"{SOCKET_NAME}.lock"
    texts = {pid_file: pid_file.read_text(), lock: lock.read_text()}
    server.stop()
    # Of the same user, working in the folder, and it even claims to serve it.
    stranger = subprocess.Popen(
        ["/bin/sh", "-c", "read line", "postgres", "-D", str(server.data_dir)],
        cwd=server.data_dir,
        stdin=subprocess.PIPE,
        user=server.data_dir.stat().st_uid if AS_ROOT else None,
    )
    try:
        own_folder(place_at(home, server.data_dir.parent), server.socket_dir)
        for path, text in texts.items():
            path.write_text(text.replace(str(server.pid), str(stranger.pid), 1))
        assert not is_ours(stranger.pid, server.data_dir)
        assert attach(home) is None
        server.stop()
        assert start_or_attach(home, durable=False).pid != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.communicate(timeout=60)


@pytest.mark.parametrize("text", ["", "garbage\n", "4194304000\n", "-5\n"])
def test_a_pid_file_that_says_nothing_is_no_server(tmp_path: Path, text: str) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "postmaster.pid").write_text(text)
    if AS_ROOT:
        shutil.chown(data, "nobody")
    assert attach(tmp_path) is None


def test_a_server_of_another_home_is_not_ours(server: EmbeddedPostgres, tmp_path: Path) -> None:
    assert is_ours(server.pid, server.data_dir)
    assert not is_ours(server.pid, tmp_path)


# Folders


def test_an_own_folder_is_refused_when_it_is_a_trap(tmp_path: Path) -> None:
    place = place_at(tmp_path, tmp_path / "postgres")
    own_folder(place, tmp_path / "fresh")
    own_folder(place, tmp_path / "fresh")
    (tmp_path / "link").symlink_to(tmp_path / "fresh")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "file").touch(mode=0o600)
    for trap in ("link", "open", "file"):
        with pytest.raises(EmbeddedPostgresError, match="Refusing"):
            own_folder(place, tmp_path / trap)
    with pytest.raises(EmbeddedPostgresError, match="Refusing"):
        check_own_folder(tmp_path / "fresh", (tmp_path / "fresh").stat().st_uid + 1)


@needs_root
def test_a_home_closed_to_others_stays_closed_and_its_data_goes_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / "closed"
    home.mkdir(mode=0o700)
    said: list[str] = []
    server = start_or_attach(home, durable=False, progress=said.append)
    assert not server.data_dir.is_relative_to(home)
    assert said[0].startswith("PostgreSQL does not run as root")
    assert str(server.data_dir.parent) in said[0]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert attach(home) is not None
    wipe(home)
    assert not server.data_dir.parent.exists()
    assert sorted(path.name for path in home.iterdir()) == [
        "postgres.lock",
        "secrets.json",
        "secrets.json.lock",
    ]


@needs_root
def test_a_recorded_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "postgres.location").write_text(f"{tmp_path / 'gone'}\n")
    with pytest.raises(EmbeddedPostgresError, match="that is gone"):
        start_or_attach(tmp_path, durable=False)
    assert [path.name for path in tmp_path.glob("postgres*")] == ["postgres.location", "postgres.lock"]


@needs_root
def test_an_open_home_made_by_root_holds_its_own_data_and_copied_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine.embedded.binaries, "_runs", lambda *_: False)  # as below a closed /root
    home = Path(f"/tmp/ic-test-{os.getpid()}")  # noqa: S108 - pytest's own folder is closed to other users
    try:
        server = start_or_attach(home, durable=False)
        place = find_place(home)
        assert place is not None
        assert isinstance(place.account, Account)
        assert server.data_dir == home / "postgres" / "data"
        assert psutil.Process(server.pid).exe().startswith(str(home / "postgres" / "binaries-"))
        assert stat.S_IMODE(home.stat().st_mode) == 0o711
        server.stop()
        assert gone(server.pid)
        home.chmod(0o700)
        with pytest.raises(EmbeddedPostgresError, match="out of reach"):
            start_or_attach(home, durable=False)
        assert server.data_dir.exists()
    finally:
        wipe(home)
        shutil.rmtree(home)
