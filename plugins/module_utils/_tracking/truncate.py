# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a TRUNCATE that is typed on a master (pure).

Bucardo notes that there was one and truncates the table on the other masters at its next run: rows
that were written there in the meantime are lost, and where a foreign key refers to the table
PostgreSQL refuses, which Bucardo takes for done. So by default the trigger that Bucardo looks for
by name has another function. docs/decisions/truncate.md says why this one.
"""

from __future__ import annotations

import typing as t

from .delta_function import MOMENT
from .own_function import OwnFunction, most

DELETE = "delete"
REFUSE = "refuse"
BUCARDO = "bucardo"
# In the order of preference where a master has several.
POLICIES = (DELETE, REFUSE, BUCARDO)
DEFAULT = DELETE

# Every key goes into the queue, as if each row had been deleted by itself. TRUNCATE holds ACCESS
# EXCLUSIVE before it fires this, so that no row can come after the look; but with a snapshot that
# is older than the lock the look would miss rows that TRUNCATE removes.
_DELETE_BODY = """
DECLARE
  delta text;
  key text;
BEGIN
  IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.=)
     ANY (ARRAY['repeatable read', 'serializable']) THEN
    RAISE EXCEPTION
      'TRUNCATE of %.%, which is replicated, needs the isolation level read committed',
      TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'feature_not_supported',
        DETAIL = 'It removes rows that this transaction does not see, and they would stay on the'
          ' other masters.',
        HINT = 'Use DELETE, or begin the transaction with ISOLATION LEVEL READ COMMITTED.';
  END IF;
  -- The row trigger's function has the name of the table that it writes to.
  SELECT p.proname INTO STRICT delta
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
   WHERE t.tgrelid OPERATOR(pg_catalog.=) TG_RELID
     AND t.tgname OPERATOR(pg_catalog.=) 'bucardo_delta';
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
    INTO STRICT key
    FROM pg_catalog.pg_attribute a
   WHERE a.attrelid OPERATOR(pg_catalog.=)
         pg_catalog.format('bucardo.%I', delta)::pg_catalog.regclass
     AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
     AND a.attname OPERATOR(pg_catalog.<>) 'txntime';
  EXECUTE pg_catalog.format('INSERT INTO bucardo.%1$I (%2$s, txntime)'
                            ' SELECT %2$s, $1 FROM ONLY %3$I.%4$I',
                            delta, key, TG_TABLE_SCHEMA, TG_TABLE_NAME)
    USING {moment};
  RETURN NULL;
END;
""".replace("{moment}", MOMENT)
_REFUSE_BODY = """
BEGIN
  RAISE EXCEPTION 'TRUNCATE of %.%, which is replicated, is refused',
    TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'feature_not_supported',
      DETAIL = 'Rows that are written on another master at the same time could be lost.',
      HINT = 'Use DELETE, which is replicated row by row.';
END;
"""


# Bucardo's own function is not ours to make.
FUNCTIONS: dict[str, OwnFunction] = {
    DELETE: OwnFunction("multimaster_truncate_delete", _DELETE_BODY),
    REFUSE: OwnFunction("multimaster_truncate_refuse", _REFUSE_BODY),
}
_NAMES = {policy: one.name for policy, one in FUNCTIONS.items()}
_NAMES[BUCARDO] = "bucardo_note_truncation"


def timing(policy: str) -> str:
    """When the trigger fires: ours needs the rows, Bucardo's only the fact."""
    return "AFTER" if policy == BUCARDO else "BEFORE"


def function_name(policy: str) -> str:
    """Which function of schema bucardo the trigger calls, with the sync's name."""
    return _NAMES[policy]


def policy_of(function: str) -> str:
    """The policy for which a trigger has this function, "" for none."""
    return next((policy for policy, name in _NAMES.items() if name == function), "")


def in_use(functions: t.Iterable[str]) -> str:
    """The policy of most of these triggers, "" when none has one."""
    return most(map(policy_of, functions), POLICIES)
