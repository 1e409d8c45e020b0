# A dump and restore keeps projections alive, with the same tags: plain and custom format, and the schema
# first and the data after.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
    CREATE DATABASE source;
    \c source
    CREATE EXTENSION freshcrm;
    CREATE SCHEMA crm;
    -- OIDs of types and tables differ after a restore.
    CREATE TYPE crm.stage AS ENUM ('new', 'won');
    CREATE TABLE crm.customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);
    CREATE TABLE crm.leads (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id uuid REFERENCES crm.customers,
                            stage crm.stage, tags crm.stage[], at timestamptz);
    INSERT INTO crm.customers (name) SELECT 'c' || g FROM generate_series(1, 10) g;
    INSERT INTO crm.leads (customer_id, stage, tags, at) SELECT id, 'new', '{new,won}', now() FROM crm.customers, generate_series(1, 10);
    CREATE VIEW crm.live AS SELECT l.id, c.name, l.stage, l.tags, l.at FROM crm.leads l JOIN crm.customers c ON c.id = l.customer_id;
    SELECT freshcrm.create_projection('crm.live', '{id}');
    SELECT freshcrm.create_projection('crm.live', '{id}', 'live_too');
    SELECT freshcrm.drop_projection('crm.live_too');
    CREATE VIEW crm.counted AS SELECT c.id, (SELECT count(*) FROM crm.leads) AS leads FROM crm.customers c;
    SELECT freshcrm.create_projection('crm.counted', '{id}', options => '{"full": ["crm.leads"]}');
    UPDATE crm.leads SET stage = 'won' WHERE id IN (SELECT id FROM crm.leads LIMIT 20);
});
my $tags = q{SELECT string_agg(id || version_etag, ',' ORDER BY id) FROM crm.live_hot};
my $source_tags = $node->safe_psql('source', $tags);
my $dir = $node->basedir;

sub check_copy
{
    my $name = shift;
    is($node->safe_psql($name, $tags), $source_tags, "$name: the same tags");
    is($node->safe_psql($name, q{SELECT projection, source, key, mode FROM freshcrm.projections ORDER BY 1 DESC}),
        "crm.live_hot|crm.live|{id}|immediate\ncrm.counted_hot|crm.counted|{id}|immediate", "$name: the definition is there");
    is($node->safe_psql($name, q{SELECT sum(r.unchanged) FROM freshcrm.recompute('crm.live_hot', (SELECT array_agg(id) FROM crm.leads)) r}),
        '100', "$name: recomputing gives the same tags");
    $node->safe_psql($name, q{
        UPDATE crm.customers SET name = 'renamed ' || name;
        DELETE FROM crm.leads WHERE stage = 'won';
        INSERT INTO crm.leads (customer_id, stage) SELECT id, 'won' FROM crm.customers;});
    is($node->safe_psql($name, q{SELECT count(*) FROM crm.live_hot WHERE name LIKE 'renamed%'}), '90', "$name: writes are maintained");
    is($node->safe_psql($name, q{SELECT DISTINCT leads FROM crm.counted_hot}), '90', "$name: a table named in an option is followed");
    is($node->safe_psql($name, q{SELECT count(*) FROM freshcrm.verify_projection('crm.live_hot')}), '0', "$name: no differences");
    $node->safe_psql($name, q{
        CREATE VIEW crm.second AS SELECT id, stage FROM crm.leads;
        SELECT freshcrm.create_projection('crm.second', '{id}');});
    is($node->safe_psql($name, q{SELECT count(*) FROM crm.second_hot}), '90', "$name: new projections can be made");
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('source') ], 'dump as SQL');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", '-d', $node->connstr('plain') ], 'restore of SQL');
check_copy('plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom.dump", $node->connstr('source') ], 'dump as archive');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('custom'), "$dir/custom.dump" ], 'restore of archive');
check_copy('custom');

$node->stop;
done_testing();
