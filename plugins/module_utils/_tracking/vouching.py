# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a change of a table may have been missed on a master."""

from __future__ import annotations

import typing as t

from .._common.names import TableName
from .._postgres.pg import Session
from . import enrolled
from . import read as tracking_read
from .plan import specs_of


def missed(session: Session, names: t.Iterable[TableName], sync: str) -> set[TableName]:
    """Those of the tables of which a change may have been missed here.

    A table that is not there at all is not among them.

    :param sync: whose triggers they must have, "" for no sync's.
    """
    return {
        name
        for name, has in tracking_read.read(session, names).items()
        if any(fault.lost for fault in enrolled.faults(name, has, specs_of(name, sync)))
    }
