"""``python -m tests.storm.worker``: one process of a storm."""

from tests.storm.storm import main

main()
