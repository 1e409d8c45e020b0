# A dump and restore keeps projections alive, with the same tags, in plain and custom format.
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
    -- View and table call the same columns differently, and swap two names.
    ALTER VIEW crm.live RENAME COLUMN id TO lead;
    ALTER TABLE crm.live_hot RENAME COLUMN name TO customer;
    ALTER TABLE crm.live_hot RENAME COLUMN stage TO name;
    -- Its dump is a view without tables, replaced after the data when there is a primary key to group by.
    CREATE VIEW crm.counts AS SELECT c.id, c.name, count(l.id) AS leads FROM crm.customers c LEFT JOIN crm.leads l ON l.customer_id = c.id GROUP BY c.id;
    SELECT freshcrm.create_projection('crm.counts', '{id}');
    -- One that is broken stays so.
    CREATE TABLE crm.teams (id integer PRIMARY KEY, name text);
    CREATE VIEW crm.team_list AS SELECT * FROM crm.teams;
    SELECT freshcrm.create_projection('crm.team_list', '{id}');
    ALTER TABLE crm.teams DISABLE TRIGGER USER;
    INSERT INTO crm.teams VALUES (1, 'missed');
    -- Of mode async.
    CREATE TABLE crm.jobs (id integer PRIMARY KEY, name text);
    INSERT INTO crm.jobs SELECT g, 'job ' || g FROM generate_series(1, 10) g;
    CREATE VIEW crm.job_list AS SELECT * FROM crm.jobs;
    SELECT freshcrm.create_projection('crm.job_list', '{id}', mode => 'async');
});
# The worker cannot go on, and the dump has the row as it was.
my $holder = $node->background_psql('source');
$holder->query_safe('BEGIN; SELECT FROM crm.job_list_hot WHERE id = 1 FOR UPDATE');
$node->safe_psql('source', q{UPDATE crm.jobs SET name = 'renamed' WHERE id = 1});
my $tags = q{SELECT (SELECT string_agg(id || version_etag, ',' ORDER BY id) FROM crm.live_hot)
             || (SELECT string_agg(id || version_etag, ',' ORDER BY id) FROM crm.counts_hot)};
my $source_tags = $node->safe_psql('source', $tags);
my $dir = $node->basedir;

sub check_copy
{
    my $name = shift;
    is($node->safe_psql($name, $tags), $source_tags, "$name: the same tags");
    is($node->safe_psql($name, q{SELECT projection, source, key, mode, state FROM freshcrm.projections WHERE mode <> 'async' ORDER BY projection::text}),
        "crm.counted_hot|crm.counted|{id}|immediate|current\ncrm.counts_hot|crm.counts|{id}|immediate|current\n"
        . "crm.live_hot|crm.live|{id}|immediate|current\ncrm.team_list_hot|crm.team_list|{id}|immediate|broken", "$name: the definitions are there");
    is($node->safe_psql($name, q{SELECT string_agg(columns::text, ' ' ORDER BY id) FROM freshcrm.projection WHERE whole = target AND mode <> 'async'}),
        '{id,customer,name,tags,at} {id,leads} {id,name,leads} {id,name}', "$name: DDL is followed again");
    ok($node->poll_query_until($name, q{SELECT name FROM crm.job_list_hot WHERE id = 1}, 'renamed'), "$name: what was queued is followed");
    is($node->safe_psql($name, q{SELECT sum(r.unchanged) FROM freshcrm.recompute('crm.live_hot', (SELECT array_agg(id) FROM crm.leads)) r}),
        '100', "$name: recomputing gives the same tags");
    my (undef, undef, $refusal) = $node->psql($name, q{TRUNCATE crm.live_hot});
    like($refusal, qr/cannot change projection crm.live_hot directly/, "$name: the table refuses direct writes");
    $node->safe_psql($name, q{
        UPDATE crm.customers SET name = 'renamed ' || name;
        DELETE FROM crm.leads WHERE stage = 'won';
        INSERT INTO crm.leads (customer_id, stage) SELECT id, 'won' FROM crm.customers;});
    is($node->safe_psql($name, q{SELECT count(*) FROM crm.live_hot WHERE customer LIKE 'renamed%'}), '90', "$name: writes are maintained");
    my $differences = q{SELECT (SELECT count(*) FROM freshcrm.verify_projection('crm.live_hot')) + (SELECT count(*) FROM freshcrm.verify_projection('crm.counts_hot'))};
    is($node->safe_psql($name, $differences), '0', "$name: no differences");
    is($node->safe_psql($name, q{SELECT DISTINCT leads FROM crm.counted_hot}), '90', "$name: a table named in an option is followed");
    $node->safe_psql($name, q{
        ALTER TABLE crm.live_hot RENAME COLUMN tags TO labels;
        CREATE OR REPLACE VIEW crm.live AS SELECT l.id AS lead, upper(c.name) AS name, l.stage, l.tags, l.at, c.id AS customer_id
            FROM crm.leads l JOIN crm.customers c ON c.id = l.customer_id;
        CREATE OR REPLACE VIEW crm.counts AS SELECT c.id, c.name, count(l.id) + 1 AS leads FROM crm.customers c LEFT JOIN crm.leads l ON l.customer_id = c.id GROUP BY c.id;
        UPDATE crm.leads SET tags = '{won}';});
    is($node->safe_psql($name, $differences), '0', "$name: DDL was followed");
    is($node->safe_psql($name, q{SELECT count(*) FROM crm.live_hot WHERE customer LIKE 'RENAMED%' AND labels = '{won}' AND customer_id IS NOT NULL}), '90', "$name: by the columns too");
    is($node->safe_psql($name, q{SELECT difference, key FROM freshcrm.verify_projection('crm.team_list_hot')}),
        'missing|{"id": 1}', "$name: what was missed is missing still");
    $node->safe_psql($name, q{ALTER TABLE crm.teams ENABLE TRIGGER USER; INSERT INTO crm.teams VALUES (2, 'not missed')});
    is($node->safe_psql($name, q{SELECT state, (SELECT count(*) FROM crm.team_list_hot) FROM freshcrm.projections WHERE projection = 'crm.team_list_hot'::regclass}),
        'current|2', "$name: what was broken is mended");
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
