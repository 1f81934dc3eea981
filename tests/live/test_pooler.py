# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An address behind which there is no server of one's own is refused before anything is set."""

from __future__ import annotations

import pytest
from site_of_tests import PASSWORD, eventually

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "db")
SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 100) i;
"""
POOLED, BALANCED = 6432, 6433
PGBOUNCER = f"""
[databases]
* = host=127.0.0.1 port=5432 password='{PASSWORD.replace("'", "''")}' user=postgres
[pgbouncer]
listen_addr = *
listen_port = {POOLED}
auth_type = any
pool_mode = transaction
default_pool_size = 1
unix_socket_dir =
logfile = /tmp/pgbouncer.log
pidfile = /tmp/pgbouncer.pid
"""
# In turn to one and to the other, as a load balancer does.
BALANCER = f"""
import asyncio, itertools
hosts = itertools.cycle(["here", "db"])
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
async def serve(reader, writer):
    there = await asyncio.open_connection(next(hosts), 5432)
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(serve, "", {BALANCED})
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def masters(site):
    pair = [
        site.master(name, "app", host, schema=SCHEMA)
        for name, host in (("left", "here"), ("right", "db"))
    ]
    assert site.install("here", "pgbouncer")
    site.run("here", 'echo "$CONF" > /tmp/pgbouncer.ini', CONF=PGBOUNCER, user="postgres")
    site.run("here", "pgbouncer -d /tmp/pgbouncer.ini", user="postgres")
    site.run("db", 'echo "$CODE" > /tmp/balancer.py', CODE=BALANCER)
    site.run("db", "nohup python3 /tmp/balancer.py > /tmp/balancer.log 2>&1 & true")
    for host, port in (("here", POOLED), ("db", BALANCED)):
        assert eventually(lambda h=host, p=port: answers(site, h, p))
    return pair


def answers(site, host, port):
    return "ok" in site.run(host, f"echo > /dev/tcp/{host}/{port} && echo ok || true")


def through(site, masters, host, port):
    """Options of both masters, the first one by way of this address."""
    options = site.masters_option(site.inventory(masters))
    options[0].update(login_host=host, login_port=port)
    return options


@pytest.fixture
def application(site):
    """Afterwards, an application behind the pool finds its session as it was."""
    yield
    said = site.run(
        "here",
        f"psql -XAt -h here -p {POOLED} -U postgres -d app -c 'SHOW search_path'"
        " -c 'SHOW default_transaction_read_only' -c 'SHOW statement_timeout'"
        " -c 'SHOW session_replication_role'"
        " -c \"INSERT INTO note (body) VALUES ('from the pool') RETURNING 'written'\"",
    )
    assert said.splitlines()[:4] == ['"$user", public', "off", "0", "origin"]
    assert "written" in said


def test_preflight_refuses_a_pooler_before_anything_is_set(site, masters, application):
    inventory = site.inventory(masters)
    found = site.module(
        "preflight",
        inventory,
        user="root",
        check=False,
        masters=through(site, masters, "here", POOLED),
    )
    assert [blocker["check"] for blocker in found["blockers"]] == ["pooler"]
    assert "Name the server's own host and port" in found["msg"]


def test_nothing_else_connects_through_a_pooler(site, masters, application):
    inventory = site.inventory(masters)
    pooled, direct = through(site, masters, "here", POOLED)
    for name, options in {
        "table_info": {"source": pooled},
        "data_compare": {"masters": [pooled, direct]},
        "data_seed": {"source": direct, "target": pooled},
        "sequence_interleave": {"masters": [pooled, direct]},
        "bucardo_role": {"masters": [pooled, direct]},
        "schema_clone": {"source": pooled, "target": direct},
    }.items():
        found = site.module(name, inventory, user="root", check=False, **options)
        assert "a connection pooler such as PgBouncer answers there" in found["msg"], name


def test_an_address_of_two_servers_is_refused(site, masters):
    inventory = site.inventory(masters)
    found = site.module(
        "preflight",
        inventory,
        user="root",
        check=False,
        masters=through(site, masters, "db", BALANCED),
    )
    assert "several-servers" in [blocker["check"] for blocker in found["blockers"]]
    assert "met 2 different servers" in found["msg"]


def test_a_list_of_servers_is_refused(site, masters):
    inventory = site.inventory(masters)
    found = site.module(
        "preflight",
        inventory,
        user="root",
        check=False,
        masters=through(site, masters, "here,db", 5432),
    )
    assert "'here,db' may lead to another server with each connection" in found["msg"]
