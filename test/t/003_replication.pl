# A logical subscriber maintains its own projections, or says that it does not; a projection can be published; loads as
# a replica are maintained; a physical standby serves reads of projections, tags and verify_projection(), and takes over.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE customers (id integer PRIMARY KEY, name text);
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total integer);
    CREATE INDEX ON orders (customer_id);
    CREATE VIEW accounts AS
        SELECT c.id, c.name, (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) AS turnover FROM customers c;
};
my $rows = q{
    INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 50) g;
    INSERT INTO orders SELECT g, 1 + g % 50, g FROM generate_series(1, 500) g;
};
my $changes = q{
    UPDATE customers SET name = 'renamed ' || id WHERE id % 2 = 0;
    UPDATE orders SET customer_id = 7 WHERE id < 20;
    UPDATE customers SET id = 1000 WHERE id = 8;
    DELETE FROM customers WHERE id = 9;
    INSERT INTO orders VALUES (1001, 10, 1), (1002, 1000, 2);
    DELETE FROM orders WHERE id BETWEEN 100 AND 200;
};
my $tags = q{SELECT string_agg(id || version_etag, ',' ORDER BY id) FROM accounts_hot};
my $differences = q{SELECT count(*) FROM freshcrm.verify_projection('accounts_hot')};

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->start;
$primary->safe_psql('postgres', $tables);
$primary->safe_psql('postgres', q{SELECT freshcrm.create_projection('accounts', '{id}')});

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', $tables);
$subscriber->safe_psql('postgres', q{SELECT freshcrm.create_projection('accounts', '{id}')});

# Before the subscription: the first copy of the tables.
$primary->safe_psql('postgres', $rows);
$primary->safe_psql('postgres', 'CREATE PUBLICATION crm FOR TABLE customers, orders');
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION crm CONNECTION '%s' PUBLICATION crm}, $primary->connstr . ' dbname=postgres'));
$subscriber->wait_for_subscription_sync($primary, 'crm');
is($subscriber->safe_psql('postgres', $differences), '0', 'the first copy of the tables is maintained');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM accounts_hot'), '50', 'its rows are there');

$primary->safe_psql('postgres', $changes);
$primary->wait_for_catchup('crm');
is($subscriber->safe_psql('postgres', $differences), '0', 'replicated changes are maintained');
is($subscriber->safe_psql('postgres', $tags), $primary->safe_psql('postgres', $tags), 'the subscriber has the same tags');

$primary->safe_psql('postgres', 'TRUNCATE orders');
$primary->wait_for_catchup('crm');
is($subscriber->safe_psql('postgres', $differences), '0', 'a replicated TRUNCATE is maintained');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM accounts_hot WHERE turnover IS NOT NULL'), '0', 'it was one');

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', $tags), $primary->safe_psql('postgres', $tags), 'the standby has the same tags');
is($standby->safe_psql('postgres', $differences), '0', 'the standby verifies');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM accounts_hot h WHERE version_etag <> freshcrm.etag(id, name, turnover)}),
    '0', 'the standby computes tags');
is($standby->safe_psql('postgres', q{SELECT mode FROM freshcrm.projections}), 'immediate', 'the standby lists projections');

# The projection itself is published, to a table that is an ordinary one there.
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init;
$copy->start;
$copy->safe_psql('postgres', 'CREATE TABLE accounts_hot (id integer PRIMARY KEY, name text, turnover bigint, updated_at timestamptz, version_etag text)');
$primary->safe_psql('postgres', 'CREATE PUBLICATION hot FOR TABLE accounts_hot');
$copy->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION hot CONNECTION '%s' PUBLICATION hot}, $primary->connstr . ' dbname=postgres'));
$copy->wait_for_subscription_sync($primary, 'hot');
$primary->safe_psql('postgres', q{
    INSERT INTO orders SELECT g, 1 + g % 50, g FROM generate_series(501, 900) g;
    DELETE FROM customers WHERE id = 11;
    UPDATE customers SET name = 'seen elsewhere' WHERE id = 12;});
$primary->wait_for_catchup('hot');
my $all = 'SELECT string_agg(h::text, E\'\n\' ORDER BY id) FROM accounts_hot h';
is($copy->safe_psql('postgres', $all), $primary->safe_psql('postgres', $all), 'the rows of a projection are replicated, with its tags');
is($copy->safe_psql('postgres', q{SELECT name FROM accounts_hot WHERE id = 12}), 'seen elsewhere', 'there were some');

# A subscriber that was made of the schema alone has triggers without definitions: replication goes on, and says so.
my $bare = PostgreSQL::Test::Cluster->new('bare');
$bare->init;
$bare->start;
my $schema = $primary->basedir . '/schema.sql';
$primary->command_ok([ 'pg_dump', '-s', '--no-publications', '-f', $schema, $primary->connstr('postgres') ], 'dump of the schema');
$bare->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $schema, '-d', $bare->connstr('postgres') ], 'restore of the schema');
$bare->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION bare CONNECTION '%s' PUBLICATION crm}, $primary->connstr . ' dbname=postgres'));
$bare->wait_for_subscription_sync($primary, 'bare');
$primary->safe_psql('postgres', q{UPDATE customers SET name = 'passes' WHERE id = 13; TRUNCATE orders; INSERT INTO orders VALUES (1, 13, 13)});
$primary->wait_for_catchup('bare');
is($bare->safe_psql('postgres', 'SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id'), 'passes|13', 'without a definition replication goes on');
ok($bare->log_contains(qr/WARNING: *projection 1 is not maintained/), 'and warns');
$bare->safe_psql('postgres', q{SELECT freshcrm.create_projection('accounts', '{id}')});
$primary->safe_psql('postgres', q{UPDATE customers SET name = 'is followed' WHERE id = 14});
$primary->wait_for_catchup('bare');
is($bare->safe_psql('postgres', $differences), '0', 'it is followed when the projection is created again');
is($bare->safe_psql('postgres', $tags), $primary->safe_psql('postgres', $tags), 'with the same tags');

# A load in the replication role replica, by every kind of statement.
$primary->safe_psql('postgres', q{
    SET session_replication_role = replica;
    TRUNCATE orders;
    INSERT INTO customers VALUES (2000, 'by INSERT');
    COPY customers FROM stdin;
2001	by COPY
2002	by COPY
\.
    COPY orders FROM stdin;
1	2001	1
2	2002	2
\.
    MERGE INTO customers c USING (VALUES (2001, 'by MERGE'), (2003, 'by MERGE')) v (id, name) ON c.id = v.id
        WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name);
    INSERT INTO customers VALUES (2000, 'again') ON CONFLICT (id) DO UPDATE SET name = 'by ON CONFLICT';
    WITH moved AS (DELETE FROM orders WHERE id = 2 RETURNING *) INSERT INTO orders SELECT 3, 2003, total FROM moved;
    UPDATE orders SET total = 5 WHERE id = 1;
    DELETE FROM customers WHERE id = 2002;});
is($primary->safe_psql('postgres', $differences), '0', 'a load as replica is maintained');
is($primary->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', id, name, turnover), ', ' ORDER BY id) FROM accounts_hot WHERE id >= 2000}),
    '2000 by ON CONFLICT, 2001 by MERGE 5, 2003 by MERGE 2', 'it was some');

# The standby takes over.
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->promote;
$standby->safe_psql('postgres', q{UPDATE customers SET name = 'after the promotion' WHERE id < 5; INSERT INTO orders VALUES (5000, 1, 1)});
is($standby->safe_psql('postgres', $differences), '0', 'a promoted standby maintains projections');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM accounts_hot WHERE name = 'after the promotion'}), '4', 'there were some');
is($standby->safe_psql('postgres', q{SELECT freshcrm.create_projection('accounts', '{id}', 'second'); SELECT count(*) = (SELECT count(*) FROM customers) FROM second}),
    "second\nt", 'and makes new ones');

$_->stop for $subscriber, $copy, $bare, $standby, $primary;
done_testing();
