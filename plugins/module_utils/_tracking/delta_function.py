# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The function of the trigger that queues changes, as text (pure).

It runs with the rights of Bucardo's role and the search_path of whoever writes, so nothing in it
may be looked up there: relations and operators are named with their schema. A search_path of its
own would do as well, but costs every row, docs/decisions/enrolment.md.
"""

from __future__ import annotations

import typing as t

from .._common.names import TableName, delta_suffix

# Schema and name of the operator by which two values of a key's column are the same.
Equality = t.Tuple[str, str]
EQUALS: Equality = ("pg_catalog", "=")
# As text of SQL, whatever standard_conforming_strings says.
_BACKSLASH = "pg_catalog.chr(92)"

# A change is done for Bucardo when its transaction's time has been (getdelta, Bucardo.pm 5.6.0). Of
# two transactions that begin in the same microsecond, of which one ends after a run has looked, one
# is lost. So the last tenth of a second of the time is the transaction's number: equal are only
# those of two that began in the same tenth, 100,000 transactions or a multiple of that apart. It is
# never later than the true time, and at most 0.2 s earlier. docs/decisions/moments.md
MOMENT = (
    "pg_catalog.now() OPERATOR(pg_catalog.-) ((pg_catalog.mod("
    "(pg_catalog.date_part('epoch', pg_catalog.now())"
    " OPERATOR(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8, 100000)"
    " OPERATOR(pg_catalog.+) 100000"
    " OPERATOR(pg_catalog.-) pg_catalog.mod(pg_catalog.txid_current(), 100000)"
    ")::pg_catalog.float8 OPERATOR(pg_catalog.*) '1 microsecond'::pg_catalog.interval)"
)

# Into a variable: as part of an INSERT it would be prepared for each row, which takes ten times as
# long as to compute it.
_DECLARED = f"""
DECLARE
  moment CONSTANT pg_catalog.timestamptz := {MOMENT};"""
_BODY = (
    _DECLARED
    + """
BEGIN
{guard}  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO {delta} VALUES ({old}, moment);
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
    INSERT INTO {delta} VALUES ({new}, moment);
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
    IF NOT ({same}) THEN
      INSERT INTO {delta} VALUES ({new}, moment);
    END IF;
  END IF;
  RETURN NULL;
END;
"""
)
# With the transaction's own time, which is the default of the delta table.
_TIMED = _BODY.replace(_DECLARED, "").replace(", moment)", ")")
# Of a key of several columns Bucardo writes the values into its statements and doubles the first
# backslash: it would look for another row, find none, and take the change for replicated.
_GUARD = """  IF {held} THEN
    RAISE EXCEPTION USING ERRCODE = '22000',
      MESSAGE = pg_catalog.concat('a backslash in the key of ', TG_TABLE_SCHEMA, '.', TG_TABLE_NAME,
                                  ' cannot be replicated'),
      DETAIL = 'Bucardo would look for another row, and the masters would differ for good.',
      HINT = 'Write the key without a backslash, or let the table not take part in replication.';
  END IF;
"""
# What was made before, by this collection and by Bucardo itself: it queues the same, but looks
# its operators up in the writer's search_path.
_EARLIER = (
    _BODY.replace("{guard}", ""),
    _TIMED,
    _TIMED.replace("{guard}", ""),
    """
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO {delta} VALUES ({old});
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO {delta} VALUES ({new});
  ELSIF TG_OP = 'UPDATE' THEN
    IF {moved} THEN
      INSERT INTO {delta} VALUES ({new});
    END IF;
  END IF;
  RETURN NULL;
END;
""",
    """
BEGIN
  IF (TG_OP = 'INSERT') THEN
    INSERT INTO {delta} VALUES ({new});
  ELSIF (TG_OP = 'UPDATE') THEN
    INSERT INTO {delta} VALUES ({old});
    IF ({moved}) THEN
      INSERT INTO {delta} VALUES ({new});
    END IF;
  ELSE
    INSERT INTO {delta} VALUES ({old});
  END IF;
  RETURN NULL;
END;
""",
)


def body(
    table: TableName, key: t.Sequence[tuple[str, Equality]], texts: t.Collection[str] = ()
) -> str:
    """The function's text.

    :param key: the columns in the order of the delta table, each with its operator.
    :param texts: those of them that hold text, in which a backslash may be.
    """
    return _filled(_BODY, table, key, texts)


def queues(
    text: str,
    table: TableName,
    key: t.Sequence[tuple[str, Equality]],
    texts: t.Collection[str] = (),
) -> bool:
    """Whether a function of this text queues what it should, whatever else may be wrong with it."""
    known = [_filled(one, table, key, texts) for one in (_BODY, *_EARLIER)]
    return _squeezed(text) in {_squeezed(one) for one in known}


def quoted(text: str) -> str:
    """The body between dollar quotes that do not occur in it."""
    tag = "body"
    while f"${tag}$" in text:
        tag += "_"
    return f"${tag}${text}${tag}$"


def _guard(key: t.Sequence[tuple[str, Equality]], texts: t.Collection[str]) -> str:
    """Refuses what Bucardo would lose, "" where nothing can be lost."""
    names = [_identifier(name) for name, _equality in key if name in texts]
    if len(key) < 2 or not names:
        return ""

    def held(row: str) -> str:
        values = [
            f"pg_catalog.strpos({row}.{name}::pg_catalog.text, {_BACKSLASH})" for name in names
        ]
        return " OR ".join(f"{value} OPERATOR(pg_catalog.>) 0" for value in values)

    # Of rows that are there already only what would be a change of them.
    return "".join(
        _GUARD.format(held=f"TG_OP OPERATOR(pg_catalog.{operator}) '{word}' AND ({held(row)})")
        for operator, word, row in (("<>", "DELETE", "NEW"), ("<>", "INSERT", "OLD"))
    )


def _filled(
    template: str,
    table: TableName,
    key: t.Sequence[tuple[str, Equality]],
    texts: t.Collection[str] = (),
) -> str:
    names = [_identifier(name) for name, _equality in key]
    return template.format(
        guard=_guard(key, texts),
        delta=f"{_identifier('bucardo')}.{_identifier(f'delta_{delta_suffix(table)}')}",
        old=", ".join(f"OLD.{name}" for name in names),
        new=", ".join(f"NEW.{name}" for name in names),
        same=" AND ".join(
            f"OLD.{name} OPERATOR({_identifier(schema)}.{operator}) NEW.{name}"
            for name, (_plain, (schema, operator)) in zip(names, key)
        ),
        moved=" OR ".join(f"OLD.{name} <> NEW.{name}" for name in names),
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _squeezed(text: str) -> str:
    """Without what does not matter: blanks, quotes that Bucardo sets only where they are needed."""
    return "".join(text.replace('"', "").split())
