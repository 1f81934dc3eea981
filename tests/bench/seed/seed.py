#!/usr/bin/env python
# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds a database as the module data_seed does, without Ansible around it."""

from __future__ import annotations

import json
import sys

from ansible_collections.multimaster.bucardo.plugins.module_utils._conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import Options, Seeder

options = json.loads(sys.argv[1])
outcome = Seeder(
    ConnInfo("here", {"host": "here", "user": "postgres", "dbname": "app"}),
    ConnInfo("there", {"host": "there", "user": "postgres", "dbname": "app"}),
    "postgres",
    Options(tables=["*.*"], exclude=[], require_triggers=False, **options),
).run()
print(len(outcome.tables), "tables in", outcome.seconds, "s")
