# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns the schemas that this collection and Bucardo work in.

What is in them is believed, and written to as a superuser. Whoever may create a schema could have
made them first, with tables that claim things and triggers that run as who writes.
"""

from __future__ import annotations

import typing as t

from .._common.errors import Refused
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from .foreign import CURE, Foreign

if t.TYPE_CHECKING:
    from .._postgres.pg import Session

# The login is trusted with what it may do anyway, and so is Bucardo's role, which makes its own.
_FOREIGN = """
WITH ours AS (SELECT n.oid, n.nspname, n.nspowner FROM pg_catalog.pg_namespace n
               WHERE n.nspname = ANY (%(schemas)s)),
     found AS (SELECT 'schema' AS kind, pg_catalog.quote_ident(nspname) AS name, nspowner AS owner
                 FROM ours
               UNION ALL
               SELECT 'relation', pg_catalog.format('%%I.%%I', nspname, c.relname), c.relowner
                 FROM ours JOIN pg_catalog.pg_class c ON c.relnamespace = ours.oid
                WHERE c.relkind NOT IN ('i', 'I')
               UNION ALL
               SELECT 'function', pg_catalog.format('%%I.%%I', nspname, p.proname), p.proowner
                 FROM ours JOIN pg_catalog.pg_proc p ON p.pronamespace = ours.oid)
SELECT f.kind, f.name, r.rolname::text AS owner
  FROM found f JOIN pg_catalog.pg_roles r ON r.oid = f.owner
 WHERE NOT r.rolsuper AND r.rolname <> ALL (ARRAY[session_user, %(bucardo)s::name])
 ORDER BY 1 DESC, 2
"""


def foreign(session: Session, bucardo_user: str = "bucardo") -> list[Foreign]:
    """Objects in our schemas whose owner is none whom we trust."""
    params = {"schemas": [BUCARDO_SCHEMA, OWN_SCHEMA], "bucardo": bucardo_user}
    return [Foreign(**row) for row in session.rows(_FOREIGN, params)]


def require_ours(session: Session, bucardo_user: str = "bucardo") -> None:
    """:raises Refused: naming the first object that is somebody else's."""
    found = foreign(session, bucardo_user)
    if found:
        raise Refused(f"{session.conninfo}: {found[0].line}", CURE)
