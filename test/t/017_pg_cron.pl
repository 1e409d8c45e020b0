# pg_cron, really running: its one job calls the tick, which refreshes what is due, the three jobs of the CRM pack
# among it, in this database and in another one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', join "\n", q{shared_preload_libraries = 'pg_cron'}, q{cron.database_name = 'postgres'},
    q{cron.host = '} . $node->host . q{'}, 'fsync = off', q{timezone = 'UTC'}, '');
$node->start;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }
# With what it says beside the result.
sub said { my ($sql, $db) = @_; my ($out, $err); $node->psql($db // 'postgres', $sql, stdout => \$out, stderr => \$err); return $err; }

sql(q{CREATE EXTENSION freshcrm; CREATE SCHEMA mine; CREATE TABLE mine.things (id integer PRIMARY KEY);
    CREATE MATERIALIZED VIEW mine.counted AS SELECT count(*) FROM mine.things;});
like(said(q{SELECT freshcrm.schedule('mine.counted', '*/5 * * * *')}), qr/pg_cron is not in this database.*CREATE EXTENSION pg_cron/s,
    'without the extension schedule() says how to get it');
sql(q{CREATE EXTENSION pg_cron});
unlike(said(q{SELECT freshcrm.schedule('mine.counted', '*/5 * * * *')}), qr/nothing refreshes/, 'with it there is nothing to say');
my $jobs = q{SELECT jobname, schedule, command, username, active FROM cron.job};
is(sql($jobs), 'freshcrm-tick|* * * * *|CALL freshcrm.tick()|' . sql('SELECT current_user') . '|t', 'there is a job');

# The CRM pack, by a role that is no superuser: the jobs are its, the job of pg_cron is not.
sql(q{CREATE ROLE crm_owner LOGIN;
    CREATE SCHEMA crm AUTHORIZATION crm_owner;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO crm_owner;
    GRANT SELECT, INSERT, DELETE ON freshcrm.crm_installation TO crm_owner;
    SET ROLE crm_owner;
    SELECT freshcrm.create_crm_tables('crm');
    SELECT freshcrm.install_crm('crm');
    SELECT freshcrm.schedule('crm.mv_hot_leads', '*/15 * * * *');
});
is(sql(q{SELECT count(*) FROM cron.job}), 1, 'there is still one job');
is(sql(q{SELECT string_agg(job_name || ' ' || cron, ', ' ORDER BY job_name) FROM freshcrm.matview WHERE job_name LIKE 'refresh-%'}),
    'refresh-hot-leads */15 * * * *, refresh-rlhf-dashboard */10 * * * *, refresh-template-performance 0 1 * * *', 'of three jobs of ours');

# A database where pg_cron is not
sql('CREATE DATABASE other');
sql(q{CREATE EXTENSION freshcrm; CREATE MATERIALIZED VIEW there AS SELECT now() AS at}, 'other');
my $hint = said(q{SELECT freshcrm.schedule('there', '*/5 * * * *')}, 'other');
like($hint, qr/pg_cron is in database "postgres"/, 'schedule() says where it is');
my ($command) = $hint =~ /call (SELECT cron\.schedule_in_database\(.*?\);)/ or diag($hint);
sql($command);

# Within a minute or two pg_cron calls both ticks. What is due then, and old rows of its history:
my $due = q{UPDATE freshcrm.matview_state SET next_due = now(); UPDATE freshcrm.tick_state SET pruned_at = NULL;};
sql($due);
sql($due, 'other');
sql(q{INSERT INTO mine.things VALUES (1);
    INSERT INTO cron.job_run_details (jobid, runid, database, command, status, start_time, end_time) VALUES
        (1, -1, 'postgres', 'CALL freshcrm.tick()', 'succeeded', now() - interval '8 days', now() - interval '8 days'),
        (1, -2, 'postgres', 'CALL freshcrm.tick()', 'succeeded', now() - interval '6 days', now() - interval '6 days'),
        (2, -3, 'postgres', 'SELECT 1', 'succeeded', now() - interval '80 days', now() - interval '80 days')});
my $done = q{SELECT string_agg(name, ' ' ORDER BY name) FROM freshcrm.refresh_history
    WHERE trigger = 'schedule' AND status IN ('refreshed', 'unchanged')};
ok($node->poll_query_until('postgres', $done, 'crm.mv_hot_leads crm.mv_rlhf_sessions_daily crm.mv_template_performance mine.counted'),
    'pg_cron calls the tick, and the tick refreshes all four views');
is(sql('SELECT count FROM mine.counted'), 1, 'they show what is new');
ok($node->poll_query_until('other', $done, 'public.there'), 'in the other database, too');
ok($node->poll_query_until('postgres', q{SELECT count(*) >= 2 FROM cron.job_run_details WHERE runid > 0 AND status = 'succeeded'}),
    'pg_cron takes both for successes');
ok($node->poll_query_until('postgres', q{SELECT string_agg(runid::text, ' ' ORDER BY runid DESC) FROM cron.job_run_details WHERE runid < 0}, '-2 -3'),
    'of the history of pg_cron only what is old and of the tick is removed');
is(sql(q{SELECT freshcrm.health()->>'status'}), 'ok', 'all is well');
is(sql(q{SELECT freshcrm.health()->'components'->'refresh'->>'scheduler'}), 'pg_cron', 'health knows the scheduler');
is(sql(q{SELECT freshcrm.health()->'components'->'refresh'->>'scheduler'}, 'other'), 'another', 'in the other database that is another');

sql(q{UPDATE cron.job SET active = false WHERE database = 'postgres'});
like(said(q{SELECT freshcrm.schedule('mine.counted', '*/5 * * * *')}), qr/is not active/, 'a job that is not active is told');
is(sql(q{SELECT count(*) FROM cron.job WHERE database = 'postgres'}), 1, 'and no other one is made');

# The job goes with the last schedule.
sql(q{SET ROLE crm_owner; SELECT freshcrm.uninstall_crm('crm')});
is(sql(q{SELECT count(*) FROM cron.job WHERE database = 'postgres'}), 1, 'the job stays for the view that is left');
sql(q{SELECT freshcrm.unschedule('mine.counted')});
is(sql(q{SELECT count(*) FROM cron.job WHERE database = 'postgres'}), 0, 'the last one takes it along');
is(sql(q{SELECT count(*) FROM cron.job}), 1, 'the job of the other database is not its');
$node->stop;
done_testing();
