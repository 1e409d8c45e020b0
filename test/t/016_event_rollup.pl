# A dump and restore keeps event rollups alive, and the functions of the CRM pack that read them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('rollup');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
    CREATE DATABASE source;
    \c source
    CREATE EXTENSION freshcrm;
    SELECT freshcrm.create_crm_tables('crm');
    SELECT freshcrm.install_crm('crm');
    INSERT INTO crm.customers (name) VALUES ('Acme');
    INSERT INTO crm.leads (customer_id, owner_user_id) SELECT id, gen_random_uuid() FROM crm.customers, generate_series(1, 20);
    INSERT INTO crm.message_events (user_id, lead_id, direction, channel, created_at)
    SELECT owner_user_id, id, CASE n % 3 WHEN 0 THEN 'outbound' ELSE 'inbound' END, CASE n % 2 WHEN 0 THEN 'email' ELSE 'sms' END,
           timestamptz '2026-06-01Z' + n * interval '5 hours 7 minutes' FROM crm.leads, generate_series(1, 100) AS n;
    SELECT freshcrm.create_event_rollup('crm.message_events', '{user_id,lead_id}', 'created_at');
});
my $dir = $node->basedir;
my $answers = q{SELECT s.* FROM (SELECT DISTINCT user_id FROM crm.message_events) AS u,
    crm.calculate_lead_event_stats(user_id, '2026-06-10 03:20Z', '2026-06-17 10:30Z') AS s ORDER BY lead_id};
my $scores = q{SELECT * FROM crm.p_score_batch(ARRAY(SELECT id FROM crm.leads), '2026-06-20 10:10Z')};
my $plain = q{SELECT lead_id, (s).total_events, (s).inbound_total, (s).outbound_total, (s).inbound_14d, (s).outbound_14d, (s).inbound_7d,
    (s).outbound_7d, (s).last_inbound_at, (s).last_outbound_at, (s).channels
    FROM (SELECT lead_id, freshcrm.lead_event_stats(direction, channel, created_at, '2026-06-10 03:20Z', '2026-06-17 10:30Z') AS s
            FROM crm.message_events GROUP BY lead_id) AS e ORDER BY lead_id};
my ($before, $scores_before) = ($node->safe_psql('source', $answers), $node->safe_psql('source', $scores));
is($before, $node->safe_psql('source', $plain), 'the rollup gives what the events give');

sub check_copy
{
    my $name = shift;
    is($node->safe_psql($name, $answers), $before, "$name: the same statistics");
    is($node->safe_psql($name, $scores), $scores_before, "$name: the same scores");
    is($node->safe_psql($name, q{SELECT r.*, p.state FROM freshcrm.event_rollup r JOIN freshcrm.projections p ON p.projection = r.rollup}),
        'crm.message_events_rollup|crm.message_events|{user_id,lead_id}|created_at|01:00:00|{direction,channel}|current', "$name: the definition is there");
    $node->safe_psql($name, q{
        INSERT INTO crm.message_events (user_id, lead_id, direction, channel, created_at)
        SELECT owner_user_id, id, 'inbound', 'fax', '2026-06-12Z' FROM crm.leads;
        DELETE FROM crm.message_events WHERE created_at < '2026-06-03Z'});
    is($node->safe_psql($name, $answers), $node->safe_psql($name, $plain), "$name: writes are followed");
    is($node->safe_psql($name, q{SELECT count(*) FROM freshcrm.verify_projection('crm.message_events_rollup')}), '0', "$name: no differences");
    $node->safe_psql($name, q{SELECT freshcrm.drop_event_rollup('crm.message_events_rollup')});
    is($node->safe_psql($name, $answers), $node->safe_psql($name, $plain), "$name: and without the rollup");
    is($node->safe_psql($name, q{SELECT to_regclass('crm.message_events_rollup_source') IS NULL AND NOT EXISTS (SELECT FROM freshcrm.event_rollup)}),
        't', "$name: nothing is left of it");
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('source') ], 'dump as SQL');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", '-d', $node->connstr('plain') ], 'restore of SQL');
check_copy('plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom.dump", $node->connstr('source') ], 'dump as archive');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('custom'), "$dir/custom.dump" ], 'restore of archive');
check_copy('custom');

$node->stop;
done_testing();
