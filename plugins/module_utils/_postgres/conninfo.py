# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a database is and how to log in to it (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused

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

# Keywords whose value is a secret. In a dictionary of free keys Ansible would log them.
SECRET_KEYWORDS = {
    "password": "Use login_password (master_password).",
    "sslpassword": "Use a key without a passphrase that only its user can read.",
    "oauth_client_secret": "Use a libpq service file that only its user can read.",
}
# Who logs in, and how this session is called: Bucardo has its own of each.
_OF_THE_LOGIN = (
    "user",
    "passfile",
    "sslcert",
    "sslkey",
    "application_name",
    "fallback_application_name",
    "client_encoding",
    *SECRET_KEYWORDS,
)
# One address must be one server, for every connection.
_CHOOSING = {"load_balance_hosts": ("disable",)}
_PLACES = ("host", "hostaddr", "port")


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
            if value is not None:
                params[str(keyword)] = str(value)
        if default_db and "dbname" not in params and "service" not in params:
            params["dbname"] = default_db
        made = cls(name or options.get("name") or params.get("host", "the server"), params)
        made._check(options.get("connect_params") or {})
        return made

    def _check(self, free: t.Mapping[str, t.Any]) -> None:
        """:raises Refused: for a secret among the free parameters, or several servers."""
        for keyword, cure in SECRET_KEYWORDS.items():
            if free.get(keyword):
                raise Refused(f"connect_params of {self.name}: {keyword} is a secret", cure)
        several = [keyword for keyword in _PLACES if "," in self.params.get(keyword, "")]
        several += [
            keyword
            for keyword, harmless in _CHOOSING.items()
            if self.params.get(keyword, harmless[0]) not in harmless
        ]
        if several:
            raise Refused(
                f"{self.name}: {several[0]} {self.params[several[0]]!r} may lead to another server"
                " with each connection",
                "Name one server.",
            )

    def for_bucardo(self, user: str, ssl_cert: str = "", ssl_key: str = "") -> ConnInfo:
        """The same place for Bucardo's role: all but what belongs to this login.

        Its password is in the password files of the operating-system users.

        :param ssl_cert: client certificate of that role; "" for none.
        """
        params = {k: v for k, v in self.params.items() if k not in _OF_THE_LOGIN and v != ""}
        params["user"] = user
        params.update({k: v for k, v in (("sslcert", ssl_cert), ("sslkey", ssl_key)) if v})
        return dataclasses.replace(self, params=params)

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
