# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucardo is sent to the server that was named, by the way that was named, and nowhere else."""

from __future__ import annotations

import copy

import pytest
from site_of_tests import BUCARDO_PASSWORD, PASSWORD, same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "db")
SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 300) i;
"""
CERTS = "/srv/certs"
# A certificate authority, the certificate of the server "here" and one for whoever connects.
MAKE_CERTIFICATES = f"""
set -e; mkdir -p {CERTS}; cd {CERTS}
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=ca -keyout ca.key -out ca.pem
for name in here client; do
  openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
  printf "subjectAltName=DNS:$name" > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
    -extfile $name.ext -out $name.pem
done
"""


@pytest.fixture(scope="module")
def masters(site):
    """One that wants a client certificate, one at a socket that is not the default one."""
    left = site.master("left", "app", "here", schema=SCHEMA)
    right = site.master("right", "app", "db")
    site.run("here", MAKE_CERTIFICATES)
    archive = site.run("here", f"tar -C {CERTS} -c . | base64 -w0")
    # The user of the daemon must be there to be put into a group.
    assert site.install("db", "bucardo")
    site.run("db", f"mkdir -p {CERTS} && base64 -d <<< $A | tar -C {CERTS} -x", A=archive)
    site.run("db", "groupadd certs; usermod -aG certs postgres; usermod -aG certs bucardo")
    site.run("db", f"chown -R root:certs {CERTS}; chmod 640 {CERTS}/*")
    site.run("here", f"chown -R postgres: {CERTS}; chmod 600 {CERTS}/*.key")
    site.configure(
        "here",
        [
            "ssl = on",
            f"ssl_cert_file = '{CERTS}/here.pem'",
            f"ssl_key_file = '{CERTS}/here.key'",
            f"ssl_ca_file = '{CERTS}/ca.pem'",
        ],
    )
    wanted = "hostssl all all all scram-sha-256 clientcert=verify-ca"
    site.run("here", f"sed -i 's/^host all.*/{wanted}/' /etc/postgresql/*/main/pg_hba.conf")
    left.sql("SELECT pg_reload_conf()")
    site.run("db", "install -d -o postgres -m 755 /srv/socket")
    # "restart", so that the server is in the new group.
    site.configure("db", ["unix_socket_directories = '/var/run/postgresql, /srv/socket'"])
    site.run("db", "sed -i '1i local app bucardo scram-sha-256' /etc/postgresql/*/main/pg_hba.conf")
    site.run("db", "echo 'bench bucardo postgres' >> /etc/postgresql/15/main/pg_ident.conf")
    site.psql("db", "postgres", "SELECT pg_reload_conf()")
    return [left, right]


def inventory_of(site, masters, **variables):
    inventory = copy.deepcopy(site.inventory(masters, **variables))
    hosts = inventory["all"]["children"]["masters"]["hosts"]
    hosts["left"].update(
        master_ssl_cert=f"{CERTS}/client.pem",
        master_ssl_key=f"{CERTS}/client.key",
        master_connect_params={"sslmode": "verify-full", "sslrootcert": f"{CERTS}/ca.pem"},
    )
    del hosts["right"]["master_host"]
    hosts["right"]["master_unix_socket"] = "/srv/socket"
    return inventory


CERTIFICATE = {
    "multimaster_bucardo_ssl_cert": f"{CERTS}/client.pem",
    "multimaster_bucardo_ssl_key": f"{CERTS}/client.key",
}


def test_a_master_that_wants_a_certificate_of_bucardo_is_a_blocker(site, masters):
    said = site.play("bootstrap", inventory_of(site, masters), check=False)
    assert said.code != 0
    assert "[client-certificate] bucardo on left" in said.text
    assert "multimaster_bucardo_ssl_cert" in said.text


def test_bucardo_goes_the_way_that_was_named(site, masters):
    left, right = masters
    inventory = inventory_of(site, masters, **CERTIFICATE)
    site.play("bootstrap", inventory)
    right.sql("INSERT INTO note (body) VALUES ('from the right')")
    left.sql("INSERT INTO note (body) VALUES ('from the left')")
    assert same_rows(masters, "public.note")
    found = site.module("bucardo_info", inventory, login_user="bucardo", pending=False)
    known = {database["name"]: database for database in found["databases"].values()}
    assert known["right"]["host"] == "/srv/socket"
    for word in ("sslmode=verify-full", f"sslrootcert={CERTS}/ca.pem", "sslcert=", "sslkey="):
        assert word in known["left"]["conn"]
    # Seen by the server: whoever is there as Bucardo came with the certificate.
    used = left.sql(
        "SELECT DISTINCT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE usename = 'bucardo'"
    )
    assert used == [["t", "/CN=client"]]
    assert site.play("bootstrap", inventory).changes == []


def test_a_place_that_bucardo_sees_elsewhere_is_refused(site, masters):
    """One service file leads the login to one server and the control server to another."""
    inventory = inventory_of(site, masters, **CERTIFICATE)
    site.psql("here", "postgres", "CREATE DATABASE moved TEMPLATE template0")
    site.psql("db", "postgres", "CREATE DATABASE moved TEMPLATE template0")
    tls = f"sslcert={CERTS}/client.pem\\nsslkey={CERTS}/client.key\\n"
    for user, home, host in (
        ("bucardo", "/var/lib/bucardo", "here"),
        ("postgres", "/var/lib/postgresql", "db"),
    ):
        site.run(
            "db",
            f"printf '[moved]\\nhost={host}\\ndbname=moved\\n{tls}' > {home}/.pg_service.conf;"
            f" sed -i '1i *:*:moved:bucardo:'\"$PASSWORD\" {home}/.pgpass",
            user=user,
            PASSWORD=BUCARDO_PASSWORD.replace("\\", "\\\\\\\\"),
        )
    found = site.module(
        "bucardo_db",
        inventory,
        check=False,
        login_user="bucardo",
        masters=[
            {
                "name": "moved",
                "login_user": "postgres",
                "login_password": PASSWORD,
                "connect_params": {"service": "moved"},
            }
        ],
    )
    assert "From the server of the control database, Bucardo's address" in found["msg"]
    assert "leads to another database than the login's" in found["msg"]
    info = site.module("bucardo_info", inventory, login_user="bucardo", pending=False)
    assert "moved" not in info["databases"]


def test_what_overrides_the_host_overrides_it_for_bucardo(site, masters):
    inventory = inventory_of(site, masters, **CERTIFICATE)
    options = {
        "name": "other_way",
        "login_host": "here",
        "login_db": "app",
        "login_user": "postgres",
        "login_password": PASSWORD,
        "connect_params": {"host": "db", "connect_timeout": "7", "application_name": "mine"},
    }
    found = site.module(
        "bucardo_db", inventory, login_user="bucardo", masters=[options], validate=False
    )
    made = found["databases"]["other_way"]
    assert (made["host"], made["conn"]) == ("db", "connect_timeout=7")
    site.module("bucardo_db", inventory, login_user="bucardo", masters=[options], state="absent")


def test_a_password_in_the_catalog_is_in_no_statement(site, masters):
    inventory = inventory_of(site, masters, **CERTIFICATE)
    site.psql("db", "postgres", "ALTER ROLE bucardo SET log_statement = 'all'")
    options = {
        "name": "catalog",
        "login_host": "here",
        "login_db": "app",
        "login_user": "postgres",
        "login_password": PASSWORD,
    }
    found = site.module(
        "bucardo_db",
        inventory,
        login_user="bucardo",
        masters=[options],
        password=BUCARDO_PASSWORD,
        validate=False,
    )
    stored = site.psql("db", "bucardo", "SELECT dbpass FROM bucardo.db WHERE name = 'catalog'")
    assert stored.strip() == BUCARDO_PASSWORD
    log = site.run("db", "cat /var/log/postgresql/*.log")
    assert "SET search_path TO bucardo" in log, "this log has no statements"
    for text in (log, str(found)):
        assert "r%d=o" not in text
    site.module("bucardo_db", inventory, login_user="bucardo", masters=[options], state="absent")
