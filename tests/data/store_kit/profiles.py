"""The clusters that stores are made from: what each one holds and how its backup is taken."""

import os
import pathlib
import shutil
import subprocess
import time

from . import capture as cap
from . import cluster as pg


def create_app(cluster, seed, scale=1):
    """Database `app`: pgbench's tables and a schema `shop`. Row counts depend on nothing."""
    cluster.sql("create database app")
    cluster.finish_pgbench(cluster.pgbench("-i", "-q", "-s", str(scale)))
    cluster.sql(f"""
        create schema shop;
        create table shop.customers (id int primary key, name text not null, note text);
        insert into shop.customers
          select i, 'customer ' || i, repeat(md5('{seed}' || i), 1 + i % 5)
          from generate_series(1, 2500) i;
        create index on shop.customers (name);
        create table shop.orders (id int primary key, customer int, amount numeric(10,2), at date);
        insert into shop.orders
          select i, 1 + i % 2500, i * 0.37, date '2024-01-01' + i % 700
          from generate_series(1, 4000) i;
        create index on shop.orders (customer);
        create table shop.invoices (id int primary key, text_of text);
        insert into shop.invoices select i, md5('{seed}i' || i) from generate_series(1, 900) i;
        create table shop.blobs (id int primary key, body text);
        alter table shop.blobs alter body set storage external;
        insert into shop.blobs
          select i, (select string_agg(md5('{seed}' || i || '/' || j), '')
                     from generate_series(1, 300) j) from generate_series(1, 60) i;
        create unlogged table shop.cache (id int primary key, v text);
        insert into shop.cache select i, 'x' from generate_series(1, 300) i;
        create table shop.empty_table (id int);
        create table "public"."Weird Name; drop" (id int, "a ""b" text);
        insert into "public"."Weird Name; drop" values (1, 'one'), (2, 'two');
        """, "app")


def settle(cluster):
    """Everything in the files, hint bits set: what is not touched later has no later WAL."""
    cap.count_rows(cluster)
    cluster.stop()
    cluster.start()


def add_orders(cluster, first, count):
    cluster.sql(f"insert into shop.orders select i, 1 + i % 2500, i, date '2025-01-01' "
                f"from generate_series({first}, {first + count - 1}) i", "app")


def pgbench_rows(cluster, transactions, clients=2):
    cluster.finish_pgbench(cluster.pgbench("-c", clients, "-j", 1, "-t", transactions))


def lose_data(cluster):
    """What no checksum sees: a table emptied, one dropped, some rows missing."""
    cluster.sql("truncate shop.blobs; drop table shop.invoices; "
                "delete from shop.customers where id % 10 = 0", "app")


def small(cluster, into, seed, losses=False, offline=False):
    """One partition, one timeline, start and stop in one segment."""
    cluster.initdb()
    cluster.start()
    create_app(cluster, seed)
    if losses:
        lose_data(cluster)
    settle(cluster)
    facts = cap.new_facts(cluster, "small", seed)
    cap.begin_expected(cluster, facts)
    if offline:
        cluster.stop()
        cap.offline_backup(cluster, into, facts)
        cluster.start()
    else:
        cap.hot_backup(cluster, into, facts, while_copying=lambda: add_orders(cluster, 5000, 500))
    cluster.switch_and_archive()
    pgbench_rows(cluster, 200)
    cluster.switch_and_archive()
    add_orders(cluster, 6000, 250)
    cap.note_target(cluster, facts, "store_target")
    cluster.sql("delete from shop.orders where id >= 6100", "app")
    cap.note_end(cluster, facts)
    return facts


def losses(cluster, into, seed):
    """`small` with data lost before the backup; the counts of `small` are the truth."""
    return small(cluster, into, seed, losses=True)


def offline(cluster, into, seed):
    """A backup of a stopped cluster: no backup_label, and a name that is not the start point."""
    return small(cluster, into, seed, offline=True)


def big(cluster, into, seed, tables=3100):
    """Three partitions of small files: four files a table, and 6144 members a partition."""
    cluster.initdb()
    cluster.start()
    create_app(cluster, seed)
    cluster.sql(f"""
        create schema bulk;
        do $$ begin
          for i in 1..{tables} loop
            execute format('create table bulk.t%s (id int primary key, note text)', i);
            execute format('insert into bulk.t%s select j, md5(%L || j) from '
                           'generate_series(1, %s) j', i, '{seed}/' || i, 1 + i % 3);
          end loop;
        end $$;
        """, "app")
    settle(cluster)
    facts = cap.new_facts(cluster, "big", seed)
    cap.begin_expected(cluster, facts)
    cap.hot_backup(cluster, into, facts, while_copying=lambda: add_orders(cluster, 5000, 500))
    cluster.switch_and_archive()
    pgbench_rows(cluster, 100)
    cap.note_target(cluster, facts, "store_target")
    cluster.sql("insert into bulk.t1 values (100, 'late')", "app")
    cap.note_end(cluster, facts)
    return facts


def tablespaces(cluster, into, seed):
    """Two tablespaces, pg_wal elsewhere, and a link that leads out of the data directory."""
    wal = cluster.root / "wal"
    cluster.initdb(wal_dir=wal)
    cluster.start()
    create_app(cluster, seed)
    for number in (1, 2):
        place = cluster.root / f"space{number}"
        place.mkdir()
        cluster.give(place)
        cluster.sql(f"create tablespace space{number} location '{place}'")
    cluster.sql("""
        create table shop.archive (id int primary key, note text) tablespace space1;
        insert into shop.archive select i, md5(i::text) from generate_series(1, 3000) i;
        create index archive_note on shop.archive (note) tablespace space2;
        create table shop.events (id int primary key, note text) tablespace space2;
        insert into shop.events select i, md5(i::text) from generate_series(1, 1200) i;
        """, "app")
    cluster.sql("create database second tablespace space2")
    cluster.sql("create table t2 as select i as id from generate_series(1, 70) i", "second")
    os.symlink("/etc/ssl/certs/rad-no-such-certificate.pem", cluster.data / "server.crt")
    settle(cluster)
    facts = cap.new_facts(cluster, "tablespaces", seed)
    cap.begin_expected(cluster, facts)
    cap.hot_backup(cluster, into, facts, while_copying=lambda: cluster.sql(
        "insert into shop.archive select i, 'during' from generate_series(5000, 5499) i", "app"))
    cluster.switch_and_archive()
    cluster.sql("insert into shop.events select i, 'after' from generate_series(2000, 2099) i",
                "app")
    cap.note_target(cluster, facts, "store_target")
    cluster.sql("create table shop.late tablespace space1 as select 1 as id", "app")
    cap.note_end(cluster, facts)
    return facts


def timelines(cluster, into, seed):
    """Timeline 1 with the backup, a standby promoted in mid-segment, timeline 2 after it."""
    cluster.superuser = "dba"
    cluster.initdb()
    cluster.start()
    create_app(cluster, seed)
    settle(cluster)
    facts = cap.new_facts(cluster, "timelines", seed)
    cap.begin_expected(cluster, facts)
    cap.hot_backup(cluster, into, facts, while_copying=lambda: add_orders(cluster, 5000, 500))
    cluster.switch_and_archive()
    pgbench_rows(cluster, 200)
    cluster.switch_and_archive()
    with pg.Cluster(cluster.root / "standby", cluster.archive, superuser="dba",
                    segment_mb=cluster.segment_bytes >> 20) as standby:
        argv = pg.as_server([cluster.bin / "pg_basebackup", "-h", cluster.socket_dir, "-p",
                             cluster.port, "-U", "dba", "-D", standby.data, "-X", "stream", "-R",
                             "-c", "fast"], cluster.account)
        subprocess.run(argv, check=True, cwd="/", capture_output=True)
        standby.configure()
        (standby.data / "postgresql.auto.conf").write_text(
            f"primary_conninfo = 'host={cluster.socket_dir} port={cluster.port} user=dba'\n")
        standby.start()
        add_orders(cluster, 6000, 300)
        cap.note_target(cluster, facts, "timeline_1_target")
        goal = cluster.lsn()
        cluster.wait_until(lambda: pg.parse_lsn(standby.sql(
            "select pg_last_wal_replay_lsn()")) >= goal, "the standby has caught up")
        cluster.stop("immediate")
        standby.sql("select pg_promote()")
        history = standby.archive / "00000002.history"
        standby.wait_until(history.exists, "the history file is archived")
        standby.wait_until(lambda: list(standby.archive.glob("*.partial")),
                           "the partial segment is archived")
        add_orders(standby, 7000, 200)
        standby.switch_and_archive()
        pgbench_rows(standby, 100)
        cap.note_target(standby, facts, "store_target")
        standby.sql("delete from shop.orders where id >= 7100", "app")
        cap.note_end(standby, facts)
    return facts


def hot(cluster, into, seed, spans=4):
    """A backup under pgbench load whose WAL spans `spans` segments or more between start and stop."""
    cluster.initdb()
    cluster.start()
    create_app(cluster, seed, scale=3)
    settle(cluster)
    facts = cap.new_facts(cluster, "hot", seed)
    cap.begin_expected(cluster, facts)
    load = cluster.pgbench("-c", 4, "-j", 2, "-T", 600)

    def segments_later(start, count):
        # Each checkpoint makes the load write full pages again, which fills segments faster.
        while cluster.lsn() < start + int(count * cluster.segment_bytes):
            cluster.sql("checkpoint")
            time.sleep(0.2)

    try:
        cap.hot_backup(cluster, into, facts,
                       before_stop=lambda start: segments_later(start, spans + 0.5))
        segments_later(cluster.lsn(), 3)
    finally:
        cluster.finish_pgbench(load, stop=True)
    cap.note_target(cluster, facts, "store_target")
    add_orders(cluster, 8000, 100)
    cap.note_end(cluster, facts)
    return facts


PROFILES = {f.__name__: f for f in (small, losses, offline, big, tablespaces, timelines, hot)}


def add_production_settings(data):
    """What must never be obeyed on a restore host, as production's ALTER SYSTEM leaves it."""
    with open(data / "postgresql.auto.conf", "a", encoding="ascii") as auto:
        for name, value in (("listen_addresses", "*"), ("port", "6432"),
                            ("archive_command", "false"), ("primary_slot_name", "standby_1"),
                            ("shared_preload_libraries", "no_such_library")):
            auto.write(f"{name} = '{value}'\n")


def make_capture(profile, into, seed, segment_mb=16):
    """Builds the cluster below `into`/source, captures it and removes the cluster."""
    into = pathlib.Path(into)
    source = into / "source"
    with pg.Cluster(source, into / "archive", segment_mb=segment_mb) as cluster:
        facts = PROFILES[profile](cluster, into, seed)
    add_production_settings(into / "data")
    cap.drop_older_wal(into / "archive", facts)
    shutil.rmtree(source)
    facts.save(into)
    return facts
