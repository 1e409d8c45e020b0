# The server is killed in the middle of load: after recovery every projection equals its view, in mode async once what is
# queued has been followed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE customers (id integer PRIMARY KEY, name text);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer REFERENCES customers, status text);
    CREATE TABLE activities (lead_id integer REFERENCES leads ON DELETE CASCADE, at timestamptz);
    CREATE INDEX ON leads (customer_id);
    CREATE INDEX ON activities (lead_id, at);
    INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 20) g;
    INSERT INTO leads SELECT g, 1 + g % 20, 'new' FROM generate_series(1, 500) g;
    CREATE VIEW live AS
        SELECT l.id, c.name, l.status, (SELECT max(a.at) FROM activities a WHERE a.lead_id = l.id) AS last
        FROM leads l JOIN customers c ON c.id = l.customer_id;
    SELECT freshcrm.create_projection('live', '{id}');
    SELECT freshcrm.create_projection('live', '{id}', 'live_commit', mode => 'commit');
    SELECT freshcrm.create_projection('live', '{id}', 'live_async', mode => 'async');
});

my $script = $node->basedir . '/load.sql';
append_to_file($script, q{
\set lead random(1, 600)
\set customer random(1, 20)
\set dice random(1, 10)
BEGIN;
INSERT INTO activities SELECT id, clock_timestamp() FROM leads WHERE id = :lead;
SAVEPOINT s;
UPDATE leads SET status = :dice, customer_id = :customer WHERE id = :lead;
\if :dice > 7
ROLLBACK TO s;
INSERT INTO leads VALUES (:lead, :customer, 'again') ON CONFLICT (id) DO UPDATE SET status = 'again';
\endif
\if :dice = 1
DELETE FROM leads WHERE id = :lead;
\endif
COMMIT;
});

for my $round (1 .. 3)
{
    my $seen = $node->safe_psql('postgres', 'SELECT max(updated_at) FROM live_hot');
    my $load = IPC::Run::start(
        [ 'pgbench', '-n', '-c', '4', '-T', '60', '-f', $script, '-p', $node->port, '-h', $node->host, 'postgres' ],
        '>', '/dev/null', '2>', '/dev/null');
    ok($node->poll_query_until('postgres',
            "SELECT count(*) > 200 FROM live_hot WHERE updated_at > '$seen'"), "round $round: load is running");
    my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    $node->kill9;
    $load->finish;
    usleep(10_000) while kill 0, $postmaster;
    $node->start;
    is($node->safe_psql('postgres', q{SELECT freshcrm.wait_for('live_async', '1 minute')}), 't', "round $round: what was queued is followed");
    for my $table (qw(live_hot live_commit live_async))
    {
        is($node->safe_psql('postgres', "SELECT count(*) FROM freshcrm.verify_projection('$table')"),
            '0', "round $round: no differences of $table after recovery");
        is($node->safe_psql('postgres', qq{
                SELECT count(*) FROM ((SELECT * FROM live EXCEPT ALL SELECT id, name, status, last FROM $table)
                UNION ALL (SELECT id, name, status, last FROM $table EXCEPT ALL SELECT * FROM live)) d}),
            '0', "round $round: nor in a comparison without freshcrm");
    }
}

$node->stop;
done_testing();
