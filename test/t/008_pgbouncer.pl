# Behind PgBouncer in transaction mode the transactions of a client run in any server connection, after those of
# other clients and beside what they have left there: plans, lineages, memory. Whatever the mode, nothing depends on
# it: beside many clients projections are made, altered and checked, views and tables are changed, mistakes are made
# and connections lost, and at each quiet point all projections equal their views.
use strict;
use warnings;
use FindBin;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'usleep';

my @modes = ('immediate', 'commit', 'async');
# In these the transaction itself keeps the table: it sees it after flush(), and fails when the view does.
my %in_transaction = (immediate => 1, commit => 1);
my %at_once = (immediate => 1);    # without flush()
my @views = qw(lead_list accounts by_region);
my $servers = 4;
my $clients = 8;    # of each protocol

my ($major, $minor) = `pgbouncer --version` =~ /PgBouncer (\d+)\.(\d+)/ or die 'there is no PgBouncer';
# It knows of the statements that clients prepare since 1.21.
my $prepares = $major > 1 || $minor >= 21;
my @protocols = ('simple', 'extended', $prepares ? 'prepared' : ());

# Starts PgBouncer before a server. It has no TCP port, which could be in use; a socket needs a short path.
sub start_bouncer
{
    my ($node, $socket) = @_;
    my $folder = $node->basedir;
    append_to_file("$folder/pgbouncer.ini", join "\n", '[databases]',
        'postgres = user=application host=' . $node->host . ' port=' . $node->port,
        '[pgbouncer]', "logfile = $folder/pgbouncer.log", "unix_socket_dir = $socket", 'listen_port = 6432', 'auth_type = any',
        'pool_mode = transaction', "default_pool_size = $servers", 'server_round_robin = 1', 'server_reset_query =',
        $prepares ? 'max_prepared_statements = 100' : '', '');
    return start([ 'pgbouncer', '-q', "$folder/pgbouncer.ini" ], '<', \undef, '>', '/dev/null', '2>', '/dev/null');
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "deadlock_timeout = 50ms\nstatement_timeout = 60s\nmax_prepared_transactions = 20\nlog_statement = none\n");
$node->start;
my $socket = PostgreSQL::Test::Utils::tempdir_short();
my $bouncer = start_bouncer($node, $socket);
my $bounced = "host=$socket port=6432 dbname=postgres user=application";
my $flag = $node->basedir . '/go_on';    # of the writers

# However the test ends, and before the server does.
END
{
    my $status = $?;
    unlink $flag if $flag;
    $bouncer->kill_kill(grace => 2) if $bouncer;
    $? = $status;
}

# Statements in transactions of their own, again when they were in the way of others.
sub through
{
    my ($sql) = @_;
    for (1 .. 50)
    {
        my ($status, $output, $errors) = $node->psql('postgres', $sql, connstr => $bounced);
        return $output if $status == 0;
        die "$sql: $errors" if $errors !~ /deadlock detected|could not serialize/;
    }
    die "$sql: again and again in the way of others";
}

sub lead_list
{
    my ($score, $region) = @_;
    return "CREATE OR REPLACE VIEW lead_list AS SELECT l.id, l.status, l.$score AS score, c.name AS customer, r.$region AS region,
            100 / l.weight AS share, (l.value::float8 / 3)::text AS third, l.due
        FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.id = c.region_id";
}

$node->safe_psql('postgres', 'CREATE EXTENSION freshcrm');
$node->safe_psql('postgres', slurp_file("$FindBin::Bin/../include/compare.sql"));
$node->safe_psql('postgres', q{
    CREATE ROLE writer;
    CREATE ROLE application LOGIN IN ROLE writer;
    GRANT CREATE ON SCHEMA public TO application;
    GRANT USAGE ON SCHEMA freshcrm TO application, writer;
    GRANT EXECUTE ON ALL ROUTINES IN SCHEMA freshcrm TO application;
});
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
    last if -S "$socket/.s.PGSQL.6432" || !$bouncer->pumpable;
    usleep(100_000);
}
through(q{
    CREATE TABLE regions (id integer PRIMARY KEY, name text);
    CREATE TABLE customers (id integer PRIMARY KEY, region_id integer, name text);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, status text, value numeric,
        low integer DEFAULT 0, high integer DEFAULT 0, weight integer DEFAULT 3, due timestamptz DEFAULT '2026-06-30 12:00Z');
    CREATE INDEX ON customers (region_id);
    CREATE INDEX ON leads (customer_id);
    CREATE SEQUENCE next_lead START 3000;
    GRANT SELECT, INSERT, UPDATE, DELETE ON customers, leads TO writer;
    GRANT USAGE ON SEQUENCE next_lead TO writer;
    INSERT INTO regions SELECT g, 'region ' || g FROM generate_series(0, 29) g;
    INSERT INTO customers SELECT g, g % 30, 'customer ' || g FROM generate_series(0, 299) g;
    INSERT INTO leads SELECT g, g % 300, 'new', g FROM generate_series(0, 2999) g;
    CREATE VIEW accounts AS
        SELECT c.id, c.name, c.region_id, (SELECT sum(value) FROM leads l WHERE l.customer_id = c.id) AS value FROM customers c;
    CREATE TABLE seen (round integer, client integer, server integer, PRIMARY KEY (round, client, server));
});
through(lead_list('low', 'name'));
through(q{SELECT freshcrm.create_projection('lead_list', '{id}')});
through(q{SELECT freshcrm.create_projection('accounts', '{id}')});
through('CREATE VIEW by_region AS SELECT r.id, count(a.id) AS customers, sum(a.value) AS value
    FROM regions r LEFT JOIN accounts_hot a ON a.region_id = r.id GROUP BY r.id');

# The last part is for the others: no transaction finds anything in its server connection that was left there.
my $writes = q{
\set lead random(1, 2999)
\set other random(1, 2999)
\set customer random(0, 299)
\set region random(0, 29)
\set what random(1, 100)
INSERT INTO seen VALUES (:round, :protocol * 1000 + :client_id, pg_backend_pid()) ON CONFLICT DO NOTHING;
\if :what <= 6
UPDATE leads SET low = low + 1 WHERE id = :lead;
\elif :what <= 12
UPDATE leads SET high = high + 1 WHERE id = :lead;
\elif :what <= 15
UPDATE leads SET status = 'status ' || :what, value = value + 1.1 WHERE id = :lead;
\elif :what <= 27
INSERT INTO leads VALUES (nextval('next_lead'), :customer, 'late', :what);
\elif :what <= 35
UPDATE leads SET customer_id = :customer WHERE id = :lead;
\elif :what <= 40
UPDATE customers SET name = 'renamed ' || :lead WHERE id = :customer;
\elif :what <= 43
DELETE FROM leads WHERE id = :lead;
\elif :what <= 45
UPDATE customers SET region_id = :region WHERE id = :customer;
\elif :what <= 53
BEGIN;
SET LOCAL ROLE writer;
UPDATE leads SET status = 'by the writer', due = due + '1 day' WHERE id = :lead;
INSERT INTO leads VALUES (nextval('next_lead'), :customer, 'late', 1);
COMMIT;
\elif :what <= 61
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT value FROM leads WHERE id = :lead;
UPDATE leads SET customer_id = :customer WHERE id = :other;
UPDATE leads SET value = value + 1 WHERE id = :lead;
COMMIT;
\elif :what <= 66
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT share FROM lead_list_hot WHERE id = :lead;
UPDATE leads SET status = 'serial' WHERE id = :lead;
UPDATE customers SET name = 'serial' WHERE id = :customer;
COMMIT;
\elif :what <= 74
BEGIN;
UPDATE leads SET value = 7 WHERE id = :lead;
SAVEPOINT a;
UPDATE leads SET status = 'taken back', customer_id = :customer WHERE id = :other;
SELECT freshcrm.flush();
ROLLBACK TO a;
UPDATE leads SET value = 8 WHERE id = :other;
SAVEPOINT b;
DELETE FROM leads WHERE id = :lead;
RELEASE b;
COMMIT;
\elif :what <= 80
BEGIN;
UPDATE leads SET status = 'taken back', customer_id = :customer WHERE id = :lead;
INSERT INTO leads VALUES (nextval('next_lead'), :customer, 'taken back', 1);
ROLLBACK;
\elif :what <= 87
BEGIN;
UPDATE leads SET status = 'mine ' || :client_id WHERE id = :lead;
SELECT freshcrm.flush();
\if :in_transaction
SELECT 1 / ((SELECT status FROM leads WHERE id = :lead) IS NOT DISTINCT FROM (SELECT status FROM lead_list_hot WHERE id = :lead))::integer;
\endif
COMMIT;
\elif :what <= 92
BEGIN;
SET LOCAL search_path = pg_temp;
SET LOCAL extra_float_digits = -10;
SET LOCAL DateStyle = 'German';
SET LOCAL TimeZone = 'Asia/Tokyo';
SET LOCAL enable_indexscan = off;
UPDATE public.leads SET value = value + 0.1, due = due + '1 hour' WHERE id = :lead;
COMMIT;
\elif :what <= 94
BEGIN;
CREATE TEMPORARY TABLE leads ON COMMIT DROP AS SELECT 1 AS id, 'temporary' AS status;
UPDATE public.leads SET status = 'in between' WHERE id = :lead;
UPDATE public.customers SET name = 'in between' WHERE id = :customer;
COMMIT;
\elif :what <= 96
UPDATE leads SET value = value + 1 WHERE id = :lead \;
UPDATE customers SET name = name || '.' WHERE id = :customer;
\else
SELECT 1 / (NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name !~ '^PGBOUNCER')
    AND NOT EXISTS (SELECT FROM pg_cursors WHERE name <> '')
    AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
    AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema())
    AND NOT EXISTS (SELECT FROM pg_settings WHERE source = 'session' AND name !~* '^(datestyle|timezone|application_name|client_encoding|standard_conforming_strings)$')
    AND current_user = 'application')::integer;
\endif
};

# Transactions that fail, of which some savepoints and handlers save a part.
sub mistakes
{
    my ($in_transaction) = @_;
    my @wrong = ('INSERT INTO leads SELECT * FROM leads WHERE id = %d', $in_transaction ? 'UPDATE leads SET weight = 0 WHERE id = %d' : ());
    my @transactions = (
        'right \; wrong \; SELECT 1 / 0;',
        'BEGIN; right; wrong; COMMIT;',
        'BEGIN; SET LOCAL ROLE writer; right; wrong; SELECT freshcrm.flush(); ROLLBACK;',
        'BEGIN ISOLATION LEVEL REPEATABLE READ; right; SAVEPOINT s; wrong; SELECT freshcrm.flush(), 1 / 0; ROLLBACK TO s; right; COMMIT;',
        'DO $$ BEGIN right; BEGIN wrong; PERFORM freshcrm.flush(), 1 / 0; '
            . 'EXCEPTION WHEN division_by_zero OR unique_violation THEN NULL; END; right; END $$;');
    return join "\n", map {
        my $right = sprintf q{UPDATE leads SET status = 'beside mistake %d' WHERE id = %d}, $_, 11 * $_;
        my $wrong = sprintf $wrong[ $_ % @wrong ], 13 * $_;
        $transactions[ $_ % @transactions ] =~ s/right/$right/gr =~ s/wrong/$wrong/gr
    } 1 .. 200;
}

my @writers;

# It goes on until there is no flag, and comes back when its connections were lost.
sub start_writer
{
    my ($name, $sql, @command) = @_;
    my $file = $node->basedir . "/$name";
    unlink "$file.sql";
    append_to_file("$file.sql", $sql);
    # Errors go to a file: nobody would read a pipe in time.
    my $process = start([ 'sh', '-c', 'while [ -e "$0" ]; do "$@"; done', $flag, @command, '-f', "$file.sql", "$bounced application_name=writer" ],
        '<', \undef, '>', '/dev/null', '2>', "$file.errors");
    push @writers, { name => $name, process => $process, errors => "$file.errors" };
    return;
}

sub start_writers
{
    my ($round, $in_transaction) = @_;
    append_to_file($flag, '');
    for my $number (0 .. $#protocols)
    {
        my $protocol = $protocols[$number];
        # What clients connect with is carried over to the server connection.
        local @ENV{qw(PGTZ PGDATESTYLE)} = $number ? ('UTC', 'ISO, MDY') : ('America/New_York', 'SQL, DMY');
        start_writer($protocol, $protocol eq 'simple' ? $writes : $writes =~ s/ \\;/;/r,
            'pgbench', '-n', '-M', $protocol, '-c', $clients, '-t', 20, '--max-tries=1000',
            '-D', "round=$round", '-D', "protocol=$number", '-D', "in_transaction=$in_transaction");
    }
    start_writer('mistakes', mistakes($in_transaction), 'psql', '-X', '-q');
    return;
}

sub end_writers
{
    my ($expected) = @_;
    unlink $flag;
    for my $writer (splice @writers)
    {
        finish($writer->{process});
        my @errors = grep { /\b(error|ERROR|FATAL):/ && !/$expected/ } split /\n/, slurp_file($writer->{errors});
        if ($writer->{name} eq 'mistakes')
        {
            ok((grep { /division by zero/ } @errors) && (grep { /duplicate key/ } @errors), 'mistakes were made');
            @errors = grep { !/division by zero|duplicate key|transaction is aborted|savepoint "s" does not exist|deadlock detected|could not serialize/ } @errors;
        }
        is(join("\n", @errors), '', "no other errors of the writers ($writer->{name})");
    }
    return;
}

sub writers_go_on
{
    my $before = $node->safe_psql('postgres', 'SELECT last_value FROM next_lead');
    $node->poll_query_until('postgres', "SELECT last_value > $before + 50 FROM next_lead") or die 'the writers do not go on';
    return;
}

# Returns when what has been committed is in the table. In the modes of a transaction it is.
sub settle
{
    my ($projection) = @_;
    through("SELECT freshcrm.wait_for('$projection', '50 seconds')") eq 't' or die "$projection is not kept";
    return;
}

sub all_equal
{
    my ($when) = @_;
    for my $projection (map { "${_}_hot" } @views)
    {
        settle($projection);
        is($node->safe_psql('postgres', "SELECT difference('$projection')"), '', "$projection equals its view, tags included, $when");
    }
    return;
}

# Plans of what was before are in every server connection.
sub change_definitions
{
    my ($round, $mode) = @_;
    my ($score, $before, $after) = $round % 2 ? qw(high name title) : qw(low title name);
    through(lead_list($score, $before));
    through("SELECT freshcrm.create_projection('by_region', '{id}', mode => '$mode')");
    through("ALTER TABLE regions RENAME $before TO $after");
    through("ALTER TABLE leads ADD COLUMN added_$round text");
    # Last, since each of the others makes all servers read the definitions again.
    through(sprintf q{SELECT freshcrm.alter_projection('%s', mode => '%s')}, $_, $mode) for qw(lead_list_hot accounts_hot);
    return;
}

# Where the transaction keeps the table, these find nothing to do.
sub check_beside_writers
{
    my ($in_transaction) = @_;
    through('CALL freshcrm.drain()') if !$in_transaction;
    for my $projection (map { "${_}_hot" } @views)
    {
        my $different = through("SELECT count(*) FROM freshcrm.verify_projection('$projection')");
        my $written = through("SELECT inserted + updated + deleted FROM freshcrm.recompute('$projection', ARRAY(SELECT id FROM $projection WHERE id % 20 = 0))");
        my $rebuilt = through("CALL freshcrm.rebuild_projection('$projection', 100)");
        is("$different $written $rebuilt", '0 0 0|0|0', "$projection equals its view beside writers") if $in_transaction;
    }
    return;
}

# Whether a transaction sees its own write at once, in each of the server connections.
sub seen_at_once
{
    my %seen;
    for (1 .. 100)
    {
        my ($server, $seen) = split /\|/, through(q{BEGIN; UPDATE leads SET status = 'at once' WHERE id = 0;
            SELECT pg_backend_pid(), status = 'at once' FROM lead_list_hot WHERE id = 0; ROLLBACK});
        $seen{$server} = $seen;
        last if keys %seen == $servers;
    }
    return join ' ', sort values %seen;
}

# What one server connection prepares may end in another.
sub prepare_and_end
{
    my ($round) = @_;
    my @ids = map { 1000 * $round + $_ } 1 .. 6;
    through("BEGIN; INSERT INTO regions VALUES ($_); INSERT INTO customers VALUES ($_, $_, 'prepared');
        INSERT INTO leads VALUES (-$_, $_, 'prepared', 1); PREPARE TRANSACTION 'p$_'") for @ids;
    through(($_ % 3 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'p$_'") for @ids;
    return;
}

my $round = 0;
for my $mode (@modes)
{
    my $in_transaction = $in_transaction{$mode} // 0;
    start_writers(++$round, $in_transaction);
    writers_go_on();
    change_definitions($round, $mode);
    writers_go_on();
    check_beside_writers($in_transaction);
    end_writers(qr/^$/);
    prepare_and_end($round);
    is(seen_at_once(), join(' ', ($at_once{$mode} ? 't' : 'f') x $servers), 'all server connections know the mode');
    all_equal("in mode $mode");
    is($node->safe_psql('postgres', 'SELECT DISTINCT mode, state FROM freshcrm.projections'), "$mode|current", "all are kept in mode $mode");
    is($node->safe_psql('postgres', "SELECT count(DISTINCT client), count(DISTINCT server),
            (SELECT bool_and(count > 1) FROM (SELECT count(*) FROM seen WHERE round = $round GROUP BY client) c),
            (SELECT bool_and(count > 1) FROM (SELECT count(*) FROM seen WHERE round = $round GROUP BY server) s)
            FROM seen WHERE round = $round"),
        join('|', $clients * @protocols, $servers, 't', 't'), 'the clients took turns in the server connections');
    through(q{SELECT freshcrm.drop_projection('by_region_hot')}) if $mode ne $modes[-1];
}

# Modes change to and fro, and server connections end in the middle of transactions.
start_writers(++$round, (grep { !$in_transaction{$_} } @modes) ? 0 : 1);
for my $mode (@modes, reverse @modes)
{
    through("SELECT freshcrm.alter_projection('${_}_hot', mode => '$mode')") for @views;
    writers_go_on();
    $node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid)) > 0 FROM (SELECT pid FROM pg_stat_activity
        WHERE application_name = 'writer' AND state = 'idle in transaction' LIMIT 1) a}) or die 'no transaction could be ended';
    writers_go_on();
}
end_writers(qr/FATAL:|server closed the connection|connection to server was lost|backend died|Run was aborted/);
all_equal('after lost connections');

is(through(q{SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'freshcrm.%' AND context IN ('user', 'superuser')}),
    'freshcrm.http_dialect freshcrm.patch freshcrm.refresh_history_days freshcrm.refresh_history_rows',
    'there is no setting of sessions that changes what the rows are');
$node->stop;
done_testing();
