"""Where foreign database errors become one sentence: what was tried, on which database, what came back, what to do."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from scale_app.domain.errors import StoreUnavailable

# What a driver's message contains, and what helps; the first that fits is taken.
ADVICE = (
    ("unable to open database file", "Create the database's folder and let Scale write to it"),
    ("readonly database", "Let Scale write to the database's file and its folder"),
    ("attempt to write a readonly", "Let Scale write to the database's file and its folder"),
    ("locked", "End the other process that holds the database"),
    ("disk is full", "Free disk space"),
    ("no space left", "Free disk space"),
    ("disk i/o error", "Check the disk, its free space and its permissions"),
    ("not a database", "Move the file away or restore it from a copy"),
    ("malformed", "Move the file away or restore it from a copy"),
    ("password", "Check user name and password in SCALE_DATABASE_URL"),
    ("role", "Check user name and password in SCALE_DATABASE_URL"),
    ("does not exist", "Create the database, or run Scale's migration by starting it once"),
    ("no such table", "Start Scale once, which makes the tables"),
    ("too many", "Let the database accept more connections"),
)
OTHERWISE = "Check that the database is there and answers"


@contextmanager
def border(doing: str, database_url: str) -> Iterator[None]:
    """Raise StoreUnavailable for whatever the database, its driver or the network raise inside.

    doing: what is tried, as in "Reading the list of runs".
    """
    try:
        yield
    except _foreign_errors() as error:
        raise StoreUnavailable(sentence(doing, database_url, error)) from error


def sentence(doing: str, database_url: str, error: Exception) -> str:
    """The sentence for people; the password is left out."""
    answer = _answer(error)
    advice = next((advice for sign, advice in ADVICE if sign in answer.lower()), OTHERWISE)
    return f"{doing} failed on {shown(database_url)}: {answer}. {advice}, or set SCALE_DATABASE_URL to another one."


def shown(database_url: str) -> str:
    """The URL as it may be shown: without password and without query, which may hold one."""
    try:
        return make_url(database_url).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return "the database"


def _foreign_errors() -> tuple[type[Exception], ...]:
    return (SQLAlchemyError, sqlite3.Error, OSError, *_errors_of_asyncpg())


def _errors_of_asyncpg() -> tuple[type[Exception], ...]:
    """Those that SQLAlchemy lets through; none before the first connection to PostgreSQL has loaded the driver."""
    asyncpg = sys.modules.get("asyncpg")
    return (asyncpg.PostgresError, asyncpg.InterfaceError) if asyncpg else ()


def _answer(error: Exception) -> str:
    # SQLAlchemy's own text carries the statement and its values, which help nobody who reads the page.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    inner = cause.__cause__ if isinstance(cause.__cause__, (OSError, *_errors_of_asyncpg())) else cause
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and inner.errno is not None and inner.errno > 0:
        return os.strerror(inner.errno)
    text = str(inner).strip() or type(inner).__name__
    return text.splitlines()[0].rstrip(". ")
