# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

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

_BODY = """
BEGIN
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO {delta} VALUES ({old});
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
    INSERT INTO {delta} VALUES ({new});
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
    IF NOT ({same}) THEN
      INSERT INTO {delta} VALUES ({new});
    END IF;
  END IF;
  RETURN NULL;
END;
"""
# What was made before, by this collection and by Bucardo itself: it queues the same, but looks
# its operators up in the writer's search_path.
_EARLIER = (
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


def body(table: TableName, key: t.Sequence[tuple[str, Equality]]) -> str:
    """The function's text.

    :param key: the columns in the order of the delta table, each with its operator.
    """
    return _filled(_BODY, table, key)


def queues(text: str, table: TableName, key: t.Sequence[tuple[str, Equality]]) -> bool:
    """Whether a function of this text queues what it should, whatever else may be wrong with it."""
    known = [body(table, key), *(_filled(earlier, table, key) for earlier in _EARLIER)]
    return _squeezed(text) in {_squeezed(one) for one in known}


def quoted(text: str) -> str:
    """The body between dollar quotes that do not occur in it."""
    tag = "body"
    while f"${tag}$" in text:
        tag += "_"
    return f"${tag}${text}${tag}$"


def _filled(template: str, table: TableName, key: t.Sequence[tuple[str, Equality]]) -> str:
    names = [_identifier(name) for name, _equality in key]
    return template.format(
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
