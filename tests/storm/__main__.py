"""``make storm``: eight processes for thirty seconds on a durable store of their own."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from engine.db import open_addresses
from engine.embedded_postgres import wipe
from engine.migrate import migrate
from engine.settings import Settings
from tests.storm.storm import Report, rage


def main() -> int:
    parser = argparse.ArgumentParser(description="Everything at once on twenty items; then every invariant.")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2, help="of each process")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="icommerce-storm-"))
    addresses = open_addresses(Settings.from_env({"ICOMMERCE_HOME": str(home)}), start=True)
    try:
        migrate(addresses)
        report = rage(addresses, **vars(asked))
    finally:
        if addresses.embedded:
            addresses.embedded.stop()
        wipe(home)
        shutil.rmtree(home)
    _print(report)
    return 0 if report.ok else 1


def _print(report: Report) -> None:
    tally = report.tally
    for name, count in sorted(tally.done.items()):
        print(f"{name:<34}{count:>7}")
    for code, count in sorted(tally.refused.items()):
        print(f"  refused  {code:<40}{count:>7}")
    print(f"slowest {tally.slowest_seconds:.2f} s, deadlocks {report.deadlocks}, unsettled {report.unsettled}")
    for words in [*report.broken, *tally.faults[:5]]:
        print(words)
    print(f"{len(tally.faults)} faults, {len(report.broken)} broken invariants")


if __name__ == "__main__":
    sys.exit(main())
