# pg_upgrade carries projections over: the same tags, and writes and DDL are followed afterwards.
use strict;
use warnings;
use Cwd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->start;
$old->safe_psql('postgres', q{
    CREATE ROLE crm_owner;
    CREATE DATABASE crm;
    \c crm
    CREATE EXTENSION freshcrm;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO crm_owner;
    CREATE SCHEMA crm AUTHORIZATION crm_owner;
    SET ROLE crm_owner;
    SET search_path = crm;
    CREATE TYPE stage AS ENUM ('new', 'won');
    CREATE TABLE customers (id integer PRIMARY KEY, name text, stage stage);
    CREATE TABLE orders (id integer, customer integer, total integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE orders_low PARTITION OF orders FOR VALUES FROM (0) TO (100);
    CREATE TABLE orders_high PARTITION OF orders FOR VALUES FROM (100) TO (10000);
    CREATE INDEX ON orders (customer);
    INSERT INTO customers SELECT g, 'c' || g, 'new' FROM generate_series(1, 20) g;
    INSERT INTO orders SELECT g, 1 + g % 20, g FROM generate_series(1, 200) g;
    CREATE VIEW live AS SELECT c.id, c.name, c.stage, (SELECT sum(o.total) FROM orders o WHERE o.customer = c.id) AS total FROM customers c;
    CREATE TABLE dropped (id integer);
    SELECT freshcrm.create_projection('live', '{id}');
    DROP TABLE dropped;
    CREATE VIEW over AS SELECT id, name || total AS text FROM live_hot;
    SELECT freshcrm.create_projection('over', '{id}');
    CREATE VIEW counted AS SELECT c.id, (SELECT count(*) FROM orders) AS orders FROM customers c;
    SELECT freshcrm.create_projection('counted', '{id}', options => '{"full": ["crm.orders"]}');
    -- Names and options that are no longer those of the start.
    ALTER TABLE orders RENAME TO sales;
    ALTER TABLE live_hot RENAME COLUMN name TO customer;
    -- Slots are found by the OIDs of enum labels, which are kept.
    SELECT freshcrm.create_collection_etag('live_hot', '{stage}');
    UPDATE customers SET stage = 'won' WHERE id < 5;
});
my $tags = q{SELECT (SELECT string_agg(id || version_etag || updated_at, ',' ORDER BY id) FROM crm.live_hot)
    || (SELECT string_agg(id || version_etag || updated_at, ',' ORDER BY id) FROM crm.over_hot)
    || (SELECT string_agg(id || version_etag || updated_at, ',' ORDER BY id) FROM crm.counted_hot)
    || freshcrm.collection_etag('crm.live_hot', '{"stage": "won"}') || (SELECT string_agg(kept::text, ',') FROM freshcrm.collections)};
my $definitions = q{SELECT p.projection, p.source, p.key, p.state, p.owner, p.base_tables, d.fallback_tables, d.columns, d.whole = d.target
    FROM freshcrm.projections p JOIN freshcrm.projection d ON d.target = p.projection ORDER BY p.projection::text};
my $old_tags = $old->safe_psql('crm', $tags);
my $triggers = q{SELECT string_agg(t, ' ' ORDER BY t) FROM (SELECT tgname::text || tgenabled::text AS t FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT evtname::text || evtenabled::text FROM pg_event_trigger) AS s};
my $old_triggers = $old->safe_psql('crm', $triggers);
my $old_definitions = $old->safe_psql('crm', $definitions);
is($old_definitions =~ tr/\n//, 2, 'there are three projections');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
my $bin = $new->config_data('--bindir');
# It leaves a script in the current directory.
my $here = getcwd;
chdir $new->basedir or die "cannot enter " . $new->basedir;
command_ok([ 'pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir,
        '-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
chdir $here or die "cannot enter $here";
$new->start;

is($new->safe_psql('crm', $tags), $old_tags, 'the same tags');
is($new->safe_psql('crm', $definitions), $old_definitions, 'the same definitions');
is($new->safe_psql('crm', $triggers), $old_triggers, 'the same triggers');
my $differences = q{SELECT coalesce(string_agg(p.projection || ' ' || v.difference || v.key, ', '), '')
    FROM freshcrm.projections p, freshcrm.verify_projection(p.projection) v};
is($new->safe_psql('crm', $differences), '', 'nothing differs');
$new->safe_psql('crm', q{
    UPDATE crm.customers SET name = 'later' WHERE id % 2 = 0;
    INSERT INTO crm.sales VALUES (1000, 7, 1000);
    DELETE FROM crm.orders_low WHERE id < 50;
    INSERT INTO crm.customers VALUES (100, 'new', 'won');});
is($new->safe_psql('crm', $differences), '', 'writes are maintained');
is($new->safe_psql('crm', q{SELECT count(*) FROM crm.over_hot WHERE text LIKE 'later%'}), '10', 'there were some');
$new->safe_psql('crm', q{
    CREATE OR REPLACE VIEW crm.live AS SELECT c.id, upper(c.name) AS name, c.stage,
        (SELECT sum(o.total) FROM crm.sales o WHERE o.customer = c.id) AS total, 1 AS one FROM crm.customers c;
    ALTER TABLE crm.sales DETACH PARTITION crm.orders_high;
    DROP VIEW crm.counted;});
is($new->safe_psql('crm', $differences), '', 'DDL is followed');
is($new->safe_psql('crm', q{SELECT count(*) FROM crm.live_hot WHERE customer = 'LATER' AND one = 1}), '10', 'it was some');
is($new->safe_psql('crm', 'SELECT count(*) FROM freshcrm.projections'), '2', 'a dropped view takes its projection along');
$new->safe_psql('crm', q{CREATE VIEW crm.names AS SELECT id, name FROM crm.customers; SELECT freshcrm.create_projection('crm.names', '{id}')});
is($new->safe_psql('crm', 'SELECT count(*) FROM crm.names_hot'), '21', 'new projections can be made');

$new->stop;
done_testing();
