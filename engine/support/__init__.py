"""Support: cases, their queue, what staff note and say, and the macros they say it with."""
