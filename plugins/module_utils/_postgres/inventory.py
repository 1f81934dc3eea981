# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From inventory variables to the modules' options, and the mistakes that hide in them (pure)."""

from __future__ import annotations

import difflib
import re
import typing as t

from .._common.errors import Refused
from .._common.names import problem_with_object_name
from .._common.text import nearest
from . import topology
from .conninfo import SECRET_KEYWORDS, ConnInfo

# Variable of a host in the group of masters -> key of a master in the modules' options.
MASTER_VARIABLES = {
    "master_name": "name",
    "master_origin": "origin",
    "master_host": "login_host",
    "master_port": "login_port",
    "master_user": "login_user",
    "master_password": "login_password",
    "master_db": "login_db",
    "master_maintenance_db": "maintenance_db",
    "master_unix_socket": "login_unix_socket",
    "master_ssl_mode": "ssl_mode",
    "master_ca_cert": "ca_cert",
    "master_ssl_cert": "ssl_cert",
    "master_ssl_key": "ssl_key",
    "master_connect_params": "connect_params",
}

# What the modules take for one master.
Options = t.Dict[str, t.Any]

_PREFIX = "multimaster_"


def masters(hosts: t.Iterable[t.Mapping[str, t.Any]], any_number: bool = False) -> list[Options]:
    """The masters that a group of hosts describes, the origin first.

    :param hosts: the variables of each host, with `inventory_hostname`.
    :param any_number: one alone, or some without their origin, will do: replication ends.
    :raises Refused: on fewer than two hosts, none or several origins, two masters of one name, a
        name that Bucardo cannot take, or a misspelt `master_` variable.
    """
    found = [_master(host) for host in hosts]
    for fault in topology.faults((one["name"], one["origin"]) for one in found):
        if not any_number or fault.kind not in (topology.TOO_FEW, topology.NO_ORIGIN):
            raise _refusal(fault)
    return sorted(found, key=lambda master: not master["origin"])


def _refusal(fault: topology.TopologyFault) -> Refused:
    """In the words of an inventory."""
    if fault.kind == topology.TOO_FEW:
        return Refused(
            f"The topology has {len(fault.masters)} master(s), but replication needs at least two",
            "Put every master into the group 'masters' (or set multimaster_group).",
        )
    if fault.kind == topology.TWINS:
        return Refused(
            f"Two masters are called {fault.masters[0]!r}", "Set master_name to tell them apart."
        )
    on = ", ".join(fault.masters) or "none of the masters"
    return Refused(
        f"master_origin is set on {on}",
        "Set master_origin: true on exactly one host: the live database that the others are"
        " copied from.",
    )


def problem_with_masters(hosts: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Why the hosts describe no topology, with the cure, or "" when they do."""
    try:
        masters(hosts)
    except Refused as error:
        return error.one_line
    return ""


def _master(host: t.Mapping[str, t.Any]) -> Options:
    inventory_name = str(host["inventory_hostname"])
    for variable in host:
        if variable.startswith("master_") and variable not in MASTER_VARIABLES:
            raise Refused(
                f"Host {inventory_name} sets the unknown variable {variable}",
                nearest(variable, MASTER_VARIABLES, f"Known: {', '.join(MASTER_VARIABLES)}."),
            )
    for keyword, cure in SECRET_KEYWORDS.items():
        # Before it reaches any task's arguments.
        if (host.get("master_connect_params") or {}).get(keyword):
            raise Refused(
                f"Host {inventory_name}: master_connect_params holds the secret {keyword}", cure
            )
    master = {key: host[variable] for variable, key in MASTER_VARIABLES.items() if variable in host}
    master["origin"] = _truth(master.get("origin", False), inventory_name)
    master["name"] = str(master.get("name") or re.sub(r"\W", "_", inventory_name, flags=re.ASCII))
    problem = problem_with_object_name(master["name"])
    if problem:
        raise Refused(
            f"Host {inventory_name}: the name {master['name']!r} {problem}", "Set master_name."
        )
    elsewhere = {"service", "host"} & set(master.get("connect_params") or {})
    reached_elsewhere = "login_unix_socket" in master or elsewhere
    if "login_host" not in master and not reached_elsewhere:
        master["login_host"] = str(host.get("ansible_host") or inventory_name)
    return master


def _truth(value: t.Any, inventory_name: str) -> bool:
    # INI inventories and -e key=value hand over text.
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "yes", "1"):
        return True
    if str(value).lower() in ("false", "no", "0", ""):
        return False
    raise Refused(f"Host {inventory_name}: master_origin is {value!r}", "Set it to true or false.")


def mistyped(variables: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """Lines about variables that were probably meant to be one of the known ones.

    Unknown `multimaster_` names are always wrong. Other names only when they are nearly a known
    one: an inventory may have variables of its own with a role's prefix.
    """
    lines = []
    # Without the common prefix, which would make any two of them look alike.
    shared = {name[len(_PREFIX) :]: name for name in known if name.startswith(_PREFIX)}
    for name in sorted(set(variables) - set(known)):
        ours = name.startswith(_PREFIX)
        if ours:
            found = difflib.get_close_matches(name[len(_PREFIX) :], list(shared), n=1, cutoff=0.6)
            near = [shared[rest] for rest in found]
        else:
            near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.88)
        if near:
            lines.append(f"{name}: did you mean {near[0]}?")
        elif ours:
            lines.append(f"{name}: no such variable")
    return lines


def pgpass_lines(db: t.Mapping[str, t.Any], user: str, password: str) -> list[str]:
    """The lines of a password file that fit one database, however its host is written.

    libpq looks for the host before the address, and for localhost where the host is the directory
    of the default socket, which depends on how it was built; what a service file says is not
    known here.
    """
    params = ConnInfo.from_options(db).params
    host = params.get("host") or params.get("hostaddr") or ""
    hosts = [host] if host else ["*" if "service" in params else "localhost"]
    if host.startswith("/"):
        hosts.append("localhost")
    place = (params.get("port") or "*", params.get("dbname") or "*")
    return [pgpass_line(host, *place, user, password) for host in hosts]


def pgpass_line(host: str, port: str, db: str, user: str, password: str) -> str:
    """One line of a password file.

    https://www.postgresql.org/docs/current/libpq-pgpass.html: backslash and colon are escaped.
    """
    if "\n" in password or "\r" in password:
        raise Refused(f"The password of {user} on {host} holds a line break", "Choose another.")
    return ":".join(
        field if field == "*" else field.replace("\\", "\\\\").replace(":", "\\:")
        for field in (host, port, db, user, password)
    )
