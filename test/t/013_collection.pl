# Kept tags of collections: the same on a standby and after a restore, and right after prepared transactions, a crash under
# load and a promotion.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "max_prepared_transactions = 10");
$primary->start;
$primary->safe_psql('postgres', 'CREATE DATABASE crm');
$primary->safe_psql('crm', q{
    CREATE EXTENSION freshcrm;
    CREATE TYPE stage AS ENUM ('new', 'won', 'lost');
    CREATE TABLE customers (id integer PRIMARY KEY, name text);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner text, stage stage);
    CREATE INDEX ON leads (customer_id);
    INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 20) g;
    INSERT INTO leads SELECT g, 1 + g % 20, 'owner ' || g % 5, 'new' FROM generate_series(1, 500) g;
    CREATE VIEW live AS SELECT l.id, l.owner, l.stage, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id;
    SELECT freshcrm.create_projection('live', '{id}');
    SELECT freshcrm.create_collection_etag('live_hot', '{owner}');
    SELECT freshcrm.create_collection_etag('live_hot', '{stage,owner}');
    -- Names of columns are those of the table.
    ALTER TABLE live_hot RENAME COLUMN owner TO seller;
});

# The tags of each seller, and of each seller's new leads; how many rows of the table were read for them; what is kept.
my $tags = q{
    SELECT string_agg(freshcrm.collection_etag('live_hot', jsonb_build_object('seller', 'owner ' || g))
        || freshcrm.collection_etag('live_hot', jsonb_build_object('seller', 'owner ' || g, 'stage', 'new')), ',' ORDER BY g) FROM generate_series(0, 5) g};
my $kept = q{SELECT string_agg(scope_columns::text || ' ' || kept, ', ' ORDER BY scope_columns) FROM freshcrm.collections};
my $all_kept = '{seller} true, {seller,stage} true';
my $wrong = q{SELECT string_agg(difference || key, ', ') FROM freshcrm.verify_projection('live_hot')};
# Row-level security has them computed.
my $computed = qq{
    CREATE ROLE reader; GRANT SELECT ON live_hot TO reader; ALTER TABLE live_hot ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everything ON live_hot USING (true); SET ROLE reader; $tags; RESET ROLE;};

sub rows_read
{
    my ($node) = @_;
    my $count = $node->safe_psql('crm', "BEGIN; $tags \\g /dev/null\nSELECT pg_stat_get_xact_tuples_returned('live_hot'::regclass) + pg_stat_get_xact_tuples_fetched('live_hot'::regclass); COMMIT;");
    return $count;
}

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->safe_psql('crm', q{UPDATE leads SET stage = 'won' WHERE id % 7 = 0; UPDATE customers SET name = 'renamed' WHERE id < 4; DELETE FROM leads WHERE id = 9});
$primary->wait_for_catchup($standby, 'replay');
my $now = $primary->safe_psql('crm', $tags);
is($standby->safe_psql('crm', $tags), $now, 'a standby has the same tags');
is($standby->safe_psql('crm', $kept), $all_kept, 'which are kept there');
is(rows_read($standby), '0', 'and read no row of the table');
is(rows_read($primary), '0', 'nor do those of the primary');
is($standby->safe_psql('crm', $wrong), '', 'nothing is wrong on the standby');

# A prepared transaction holds its slots; nobody waits.
$primary->safe_psql('crm', q{BEGIN; UPDATE leads SET stage = 'lost' WHERE id = 1; PREPARE TRANSACTION 'one'});
$primary->safe_psql('crm', q{BEGIN; UPDATE leads SET owner = 'owner 1' WHERE id = 2; PREPARE TRANSACTION 'two'});
$primary->safe_psql('crm', q{SET lock_timeout = '10s'; UPDATE leads SET stage = 'lost' WHERE id IN (6, 7)});
is($primary->safe_psql('crm', $wrong), '', 'right beside prepared transactions');
$primary->restart;
$primary->safe_psql('crm', q{COMMIT PREPARED 'one'});
$primary->safe_psql('crm', q{ROLLBACK PREPARED 'two'});
$primary->safe_psql('crm', q{UPDATE leads SET stage = 'won' WHERE id IN (1, 2)});
is($primary->safe_psql('crm', $wrong), '', 'and after they have ended');

# A crash under load of many clients on few scopes.
my $script = $primary->basedir . '/load.sql';
append_to_file($script, q{
\set id random(1, 500)
\set to random(0, 4)
BEGIN;
UPDATE leads SET owner = 'owner ' || :to, stage = CASE WHEN :id % 2 = 0 THEN 'won' ELSE 'new' END::stage WHERE id = :id;
SAVEPOINT a;
UPDATE leads SET stage = 'lost' WHERE id = :id;
ROLLBACK TO a;
UPDATE leads SET stage = 'new' WHERE id = :id % 500 + 1;
COMMIT;
});
my @load = ('pgbench', '-n', '-c', '8', '-j', '2', '-T', '60', '--max-tries=100', '-f', $script, $primary->connstr('crm'));
my ($out, $err) = ('', '');
my $load = IPC::Run::start(\@load, '>', \$out, '2>', \$err);
my $begun = $primary->safe_psql('crm', q{SELECT pg_stat_get_tuples_updated('live_hot'::regclass)});
ok($primary->poll_query_until('crm', "SELECT pg_stat_get_tuples_updated('live_hot'::regclass) > $begun + 500"), 'there is load');
is($primary->safe_psql('crm', $wrong), '', 'right under load');
$primary->stop('immediate');
$load->finish;
$primary->start;
is($primary->safe_psql('crm', $wrong), '', 'right after it');
cmp_ok($primary->safe_psql('crm', q{SELECT max(n) FROM (SELECT count(*) AS n FROM freshcrm.collection_slot GROUP BY collection, scope) c}), '<=', 20,
    'there are few slots of a scope');
# More than eight are made fewer by those who come later.
$primary->safe_psql('crm', q{UPDATE leads SET stage = 'won' WHERE id = 1; UPDATE leads SET stage = 'new' WHERE id = 1}) for 1 .. 20;
cmp_ok($primary->safe_psql('crm', q{SELECT count(*) FROM freshcrm.collection_slot s, leads l WHERE l.id = 1 AND s.scope IN
    (SELECT scope FROM freshcrm.collection_slot GROUP BY scope ORDER BY max(xmin::text::bigint) DESC LIMIT 1)}), '<=', 9, 'and fewer after a while');
is($primary->safe_psql('crm', $wrong), '', 'right all the same');
$primary->wait_for_catchup($standby, 'replay');
$now = $primary->safe_psql('crm', $tags);
is($standby->safe_psql('crm', $tags), $now, 'the standby has the same tags still');
is($primary->safe_psql('crm', "BEGIN;$computed ROLLBACK;"), $now, 'which are those that are computed of the rows');

# Dumps: together, and data apart, on which the projection is not maintained until it is compared.
my $dir = $primary->basedir;
$primary->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/crm.dump", $primary->connstr('crm') ], 'dump');
for my $jobs (1, 2)
{
    $primary->safe_psql('postgres', "CREATE DATABASE restored$jobs");
    $primary->command_ok([ 'pg_restore', '-e', '-j', $jobs, '-d', $primary->connstr("restored$jobs"), "$dir/crm.dump" ], "restore by $jobs");
    is($primary->safe_psql("restored$jobs", $tags), $now, 'a restored database has the same tags');
    is($primary->safe_psql("restored$jobs", $kept), $all_kept, 'which are kept');
    $primary->safe_psql("restored$jobs", q{UPDATE leads SET stage = 'lost' WHERE id % 3 = 0});
    is($primary->safe_psql("restored$jobs", $wrong), '', 'and follow what is written');
    isnt($primary->safe_psql("restored$jobs", $tags), $now, 'to other ones');
}
$primary->safe_psql('postgres', 'CREATE DATABASE apart');
$primary->command_ok([ 'pg_restore', '-e', '--schema-only', '-d', $primary->connstr('apart'), "$dir/crm.dump" ], 'restore of the schema');
$primary->command_ok([ 'pg_restore', '-e', '--data-only', '-d', $primary->connstr('apart'), "$dir/crm.dump" ], 'restore of the data');
$primary->safe_psql('apart', q{UPDATE leads SET stage = 'won' WHERE id = 3});
is($primary->safe_psql('apart', $tags), $now, 'not maintained, it has the tags of its rows');
my $state = $primary->safe_psql('apart', q{SELECT state FROM freshcrm.projections});
if ($state eq 'restored')
{
    is($primary->safe_psql('apart', $kept), $all_kept =~ s/true/false/gr, 'computed');
    my (undef, undef, $refusal) = $primary->psql('apart', q{SELECT freshcrm.create_collection_etag('live_hot', '{}')});
    like($refusal, qr/projection public.live_hot is not maintained/, 'more are not kept before it is compared');
}
$primary->safe_psql('apart', q{SELECT * FROM freshcrm.verify_projection('live_hot', repair => true)});
is($primary->safe_psql('apart', $kept), $all_kept, 'kept once it has been compared');
$primary->safe_psql('apart', q{UPDATE leads SET stage = 'lost' WHERE id % 3 = 0});
is($primary->safe_psql('apart', $wrong), '', 'and right');

$primary->stop('immediate');
$standby->promote;
$standby->safe_psql('crm', q{UPDATE leads SET stage = 'won' WHERE id % 5 = 0});
is($standby->safe_psql('crm', $wrong), '', 'a promoted standby goes on');
$standby->stop;
done_testing();
