# A logical subscriber maintains its own projections; a physical standby serves reads of projections, tags and
# verify_projection().
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

$_->stop for $subscriber, $standby, $primary;
done_testing();
