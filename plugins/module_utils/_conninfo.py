# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Where a database is and how to log in to it (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

# Option of a task (community.postgresql's name) -> libpq keyword.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_KEYWORDS = {
    "login_host": "host",
    "login_port": "port",
    "login_user": "user",
    "login_password": "password",
    "login_db": "dbname",
    "ssl_mode": "sslmode",
    "ca_cert": "sslrootcert",
    "ssl_cert": "sslcert",
    "ssl_key": "sslkey",
}

# libpq keyword -> environment variable, for programs whose argv others can read.
# https://www.postgresql.org/docs/current/libpq-envars.html
_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcompression": "PGSSLCOMPRESSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "requirepeer": "PGREQUIREPEER",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
}


@dataclasses.dataclass(frozen=True)
class ConnInfo:
    """libpq connection parameters of one database.

    Holds only what was given, so that a service file, a password file and the PG* variables of
    the environment keep their say over the rest.

    :param name: how messages call this server (a master's name, or "the control database").
    :param params: libpq keyword to value.
    """

    name: str
    params: t.Mapping[str, str]

    @classmethod
    def from_options(
        cls, options: t.Mapping[str, t.Any], name: str = "", default_db: str = ""
    ) -> ConnInfo:
        """Build from a task's connection options; unset (null) options are left out."""
        params: dict[str, str] = {}
        for option, keyword in _KEYWORDS.items():
            value = options.get(option)
            if value is not None and value != "":
                params[keyword] = str(value)
        socket = options.get("login_unix_socket")
        if socket and params.get("host", "localhost") in ("localhost", ""):
            params["host"] = str(socket)
        for keyword, value in (options.get("connect_params") or {}).items():
            params[str(keyword)] = str(value)
        if default_db and "dbname" not in params and "service" not in params:
            params["dbname"] = default_db
        return cls(name or options.get("name") or params.get("host", "the server"), params)

    def database(self, dbname: str) -> ConnInfo:
        """The same server and login, another database."""
        return dataclasses.replace(self, params={**self.params, "dbname": dbname})

    def with_params(self, **params: str) -> ConnInfo:
        """The same with some libpq keywords added or replaced."""
        return dataclasses.replace(self, params={**self.params, **params})

    @property
    def dbname(self) -> str:
        """The database's name, "" where libpq decides."""
        return self.params.get("dbname", "")

    @property
    def password(self) -> str:
        """The password, "" where libpq finds it elsewhere."""
        return self.params.get("password", "")

    def environment(self) -> dict[str, str]:
        """The same as libpq environment variables, for child processes.

        :raises ValueError: for a keyword that has no variable.
        """
        unknown = sorted(set(self.params) - set(_ENVIRONMENT))
        if unknown:
            raise ValueError(f"connect_params that programs cannot take: {', '.join(unknown)}")
        return {_ENVIRONMENT[keyword]: value for keyword, value in self.params.items()}

    def __str__(self) -> str:
        place = self.params.get("service") or self.params.get("host", "")
        port = f":{self.params['port']}" if "port" in self.params else ""
        where = f"{place}{port}/{self.dbname}".strip("/")
        return f"{self.name} ({where})" if where else self.name

    def __repr__(self) -> str:
        return f"ConnInfo({self})"
