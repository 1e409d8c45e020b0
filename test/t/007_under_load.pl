# Projections are made, spoilt and mended, rebuilt and dropped while clients write: no write fails, and in the end
# all equal their views.
use strict;
use warnings;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE regions (id integer PRIMARY KEY, name text);
    CREATE TABLE customers (id integer PRIMARY KEY, region_id integer, name text);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text, value numeric);
    CREATE INDEX ON customers (region_id);
    CREATE INDEX ON leads (customer_id);
    INSERT INTO regions SELECT g, 'region ' || g FROM generate_series(0, 9) g;
    INSERT INTO customers SELECT g, g % 10, 'customer ' || g FROM generate_series(0, 299) g;
    INSERT INTO leads SELECT g, g % 300, 'new', g FROM generate_series(0, 19999) g;
    CREATE SEQUENCE next_lead START 20000;
    CREATE VIEW lead_list AS
        SELECT l.id, l.status, c.name, r.name AS region FROM leads l
        LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.id = c.region_id;
    CREATE VIEW accounts AS
        SELECT c.id, c.name, (SELECT sum(value) FROM leads l WHERE l.customer_id = c.id) AS value FROM customers c;
    CREATE VIEW by_region AS
        SELECT r.id, r.name, count(a.id) AS customers, sum(a.value) AS value FROM regions r
        LEFT JOIN customers c ON c.region_id = r.id LEFT JOIN accounts a ON a.id = c.id GROUP BY r.id;
});
my %keys = (lead_list => '{id}', accounts => '{id}', by_region => '{id}');

my $script = $node->basedir . '/writes.sql';
append_to_file($script, q{
\set lead random(0, 19999)
\set customer random(0, 299)
\set region random(0, 9)
\set what random(1, 100)
\if :what <= 40
UPDATE leads SET status = 'status ' || :what, value = value + 1 WHERE id = :lead;
\elif :what <= 60
INSERT INTO leads VALUES (nextval('next_lead'), :customer, 'late', :what);
\elif :what <= 75
UPDATE leads SET customer_id = :customer WHERE id = :lead;
\elif :what <= 85
UPDATE customers SET name = name || '.' WHERE id = :customer;
\elif :what <= 90
DELETE FROM leads WHERE id = :lead;
\elif :what <= 94
UPDATE customers SET region_id = :region WHERE id = :customer;
\elif :what <= 96
UPDATE regions SET name = name || '.' WHERE id = :region;
\else
BEGIN;
UPDATE leads SET status = 'in a transaction' WHERE id = :lead;
INSERT INTO leads VALUES (nextval('next_lead'), :customer, 'late', 1);
COMMIT;
\endif
});

my ($output, $errors) = ('', '');
my $writers = start(
    [ 'pgbench', '-n', '-c', 4, '-j', 1, '-t', 1500, '--max-tries=1000', '-f', $script, $node->connstr('postgres') ],
    '>', \$output, '2>', \$errors);
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM leads WHERE status LIKE 'status%')});

my $differences = q{SELECT (SELECT count(*) FROM (SELECT %1$s FROM %2$s EXCEPT ALL SELECT %1$s FROM %2$s_hot) m)
    + (SELECT count(*) FROM (SELECT %1$s FROM %2$s_hot EXCEPT ALL SELECT %1$s FROM %2$s) e)
    + (SELECT count(*) FROM freshcrm.verify_projection('%2$s_hot'))};
my %columns = (lead_list => 'id, status, name, region', accounts => 'id, name, value', by_region => 'id, name, customers, value');
sub all_equal
{
    my ($what) = @_;
    is($node->safe_psql('postgres', sprintf($differences, $columns{$_}, $_)), '0', "$_ equals its view $what") for sort keys %keys;
}

# Each look at view and table is in one snapshot: they are equal while the writers go on.
for my $view (qw(lead_list accounts by_region)) {
    $node->safe_psql('postgres', sprintf(q{SELECT freshcrm.create_projection('%s', '%s')}, $view, $keys{$view}));
    is($node->safe_psql('postgres', sprintf($differences, $columns{$view}, $view)), '0', "$view equals its view when it has been made");
}
all_equal('beside writers');

$node->safe_psql('postgres', q{
    SET session_replication_role = replica;
    DELETE FROM lead_list_hot WHERE id % 7 = 0;
    UPDATE lead_list_hot SET status = 'spoilt' WHERE id % 7 = 1;
    INSERT INTO lead_list_hot (id, version_etag) SELECT g, '' FROM generate_series(900000, 900099) g;
    UPDATE accounts_hot SET value = 0;
});
$node->safe_psql('postgres', q{CALL freshcrm.rebuild_projection('lead_list_hot', 100)});
$node->safe_psql('postgres', q{SELECT count(*) FROM freshcrm.verify_projection('accounts_hot', repair => true)});
all_equal('after a repair beside writers');
$node->safe_psql('postgres', q{SELECT freshcrm.drop_projection('by_region_hot')});
$node->safe_psql('postgres', q{SELECT freshcrm.create_projection('by_region', '{id}')});
$node->safe_psql('postgres', q{CREATE OR REPLACE VIEW accounts AS
    SELECT c.id, upper(c.name) AS name, (SELECT sum(value) FROM leads l WHERE l.customer_id = c.id) AS value FROM customers c});
all_equal('after its view has been replaced beside writers');

finish($writers);
like($output, qr/number of transactions actually processed: 6000\/6000/, 'every write was committed') or diag($output . $errors);
unlike($errors, qr/ERROR|FATAL/, 'no write failed');
all_equal('in the end');

# A server that is killed in the middle of a rebuild comes back with batches committed and nothing lost.
$node->safe_psql('postgres', q{SET session_replication_role = replica; UPDATE lead_list_hot SET status = 'spoilt'});
my ($out, $err) = ('', '');
my $rebuild = start([ 'psql', '-X', '-c', q{CALL freshcrm.rebuild_projection('lead_list_hot', 50)}, $node->connstr('postgres') ], '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM lead_list_hot WHERE status <> 'spoilt')});
$node->stop('immediate');
eval { finish($rebuild) };
$node->start;
$node->safe_psql('postgres', q{UPDATE leads SET status = 'after the crash' WHERE id < 100});
$node->safe_psql('postgres', q{CALL freshcrm.rebuild_projection('lead_list_hot')});
all_equal('after a crash in a rebuild');

done_testing();
