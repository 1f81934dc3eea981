# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specifications shared by the modules (see plugins/doc_fragments/)."""

from __future__ import annotations

import typing as t

Spec = t.Dict[str, t.Dict[str, t.Any]]

SSL_MODES = ["allow", "disable", "prefer", "require", "verify-ca", "verify-full"]


def connection_spec() -> Spec:
    """The login options of one database, named as in community.postgresql.

    All default to null, and only what was given is sent to libpq.
    """
    return {
        "login_host": {"type": "str"},
        "login_port": {"type": "int"},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_db": {"type": "str"},
        "login_unix_socket": {"type": "str"},
        "ssl_mode": {"type": "str", "choices": SSL_MODES},
        "ca_cert": {"type": "path"},
        "ssl_cert": {"type": "path"},
        "ssl_key": {"type": "path", "no_log": False},
        "connect_params": {"type": "dict"},
    }


def master_spec() -> Spec:
    """One master: its name in Bucardo, its place in the topology and its login options."""
    return {
        "name": {"type": "str", "required": True},
        "origin": {"type": "bool", "default": False},
        "maintenance_db": {"type": "str", "default": "postgres"},
        **connection_spec(),
    }


def masters_option() -> dict[str, t.Any]:
    """The option `masters`: all masters of one topology."""
    return {"type": "list", "elements": "dict", "required": True, "options": master_spec()}


def master_option() -> dict[str, t.Any]:
    """An option that names one master, such as `source` and `target`."""
    return {"type": "dict", "required": True, "options": master_spec()}


def override_spec(value: str) -> Spec:
    """The options of a module for rows of customname or customcols.

    :param value: the one for what stands in the place of the relation's own.
    """
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "relation": {"type": "str", "required": True},
        "relation_db": {"type": "str"},
        value: {"type": "str"},
        "db": {"type": "str"},
        "sync": {"type": "str"},
    }


def selection_spec() -> Spec:
    """Which tables take part; see `Selection` for what the patterns mean."""
    return {
        "tables": {"type": "list", "elements": "str", "default": ["*.*"]},
        "exclude": {"type": "list", "elements": "str", "default": []},
    }
