# Watched tables: many writers and refreshes at once never hide a change; prepared transactions, restarts, crashes and
# subscribers do not, either. WATCH_SECONDS: how long the first part takes.
use strict;
use warnings;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('watch');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "max_connections = 30\nlog_statement = none\nmax_prepared_transactions = 5\nsynchronous_commit = off\nfsync = off\nautovacuum_naptime = 1\n");
$node->start;

# A view of each table: what its last refresh has read, and the snapshot that it has kept. A check reads the table
# first: what it finds other than it was must be known to have changed after that.
my $tables = 24;
my $setup = q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE state (view text PRIMARY KEY, seen pg_snapshot, rows text);
    CREATE TABLE misses (view text, rows text, now text);
    CREATE TABLE checks (view text, changed boolean, same boolean);
    CREATE FUNCTION rows_of(view text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        r text;
    BEGIN
        EXECUTE format('SELECT coalesce(sum(v), 0) || ''/'' || count(*) FROM %I', view) INTO r;
        RETURN r;
    END $$;
    CREATE FUNCTION refresh(v text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM state WHERE view = v FOR UPDATE;
        UPDATE state SET seen = freshcrm.see_changes(ARRAY[v::regclass::oid]) WHERE view = v;
        UPDATE state SET rows = rows_of(v) WHERE view = v;
    END $$;
    CREATE FUNCTION changed(v text) RETURNS boolean LANGUAGE sql AS
    $$ SELECT freshcrm.first_unseen_change(seen, ARRAY[v::regclass::oid]) IS NOT NULL FROM state WHERE view = v $$;
    CREATE FUNCTION look(v text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        kept text;
        current text;
        c boolean;
    BEGIN
        PERFORM FROM state WHERE view = v FOR UPDATE;
        SELECT rows FROM state WHERE view = v INTO kept;
        current := rows_of(v);
        c := changed(v);
        INSERT INTO checks VALUES (v, c, current = kept);
        IF current <> kept AND NOT c THEN
            INSERT INTO misses VALUES (v, kept, current);
        END IF;
        RETURN CASE WHEN c THEN 'changed' ELSE 'unchanged' END || CASE WHEN current = kept THEN ', same rows' ELSE ', other rows' END;
    END $$;
};
$node->safe_psql('postgres', $setup);
$node->safe_psql('postgres', qq{
    DO 'BEGIN FOR i IN 1..$tables LOOP
        EXECUTE format(''CREATE TABLE t%s (id integer PRIMARY KEY, v integer)'', i);
        EXECUTE format(''INSERT INTO t%s SELECT g, 0 FROM generate_series(1, 5) g'', i);
        PERFORM freshcrm.watch_table(format(''t%s'', i)::regclass);
        INSERT INTO state (view) VALUES (format(''t%s'', i));
        PERFORM refresh(format(''t%s'', i));
    END LOOP; END';
});

# ---- Writers, open for a while, with savepoints and rollbacks; refreshes and checks.

my $writes = $node->basedir . '/writes.sql';
append_to_file($writes, qq{
\\set t random(1, $tables)
\\set id random(1, 5)
\\set dice random(1, 12)
\\set wait random(1, 4000)
\\if :dice <= 3
UPDATE t:t SET v = v + 1 WHERE id = :id;
\\elif :dice <= 4
UPDATE t:t SET v = v + 1 WHERE id = 0;
\\else
BEGIN;
\\if :dice <= 6
SELECT v FROM t:t WHERE id = :id;
SAVEPOINT s;
UPDATE t:t SET v = v + 1 WHERE id = :id;
\\sleep :wait us
ROLLBACK TO s;
\\endif
\\if :dice <= 9
UPDATE t:t SET v = v + 1 WHERE id = :id;
\\else
SAVEPOINT s;
INSERT INTO t:t VALUES (nextval('ids'), 1);
RELEASE s;
\\endif
\\sleep :wait us
\\if :dice = 8
ROLLBACK;
\\else
COMMIT;
\\endif
\\endif
\\sleep :wait us
});
my $looks = $node->basedir . '/looks.sql';
append_to_file($looks, qq{
\\set t random(1, $tables)
SELECT refresh('t:t');
\\set wait random(1, 3000)
\\sleep :wait us
SELECT look('t:t');
\\set t random(1, $tables)
SELECT look('t:t');
});
$node->safe_psql('postgres', 'CREATE SEQUENCE ids START 100');

my $seconds = $ENV{WATCH_SECONDS} || 8;
my @errors = ('', '');
my @load = map {
    start([ 'pgbench', '-n', '-c', $_->[0], '-j', 1, '-T', $seconds, '--max-tries=1000', '-f', $_->[1], $node->connstr('postgres') ],
        '>', '/dev/null', '2>', \$errors[$_->[2]])
} ([ 8, $writes, 0 ], [ 4, $looks, 1 ]);
finish($_) for @load;
unlike(join('', @errors), qr/ERROR|FATAL|aborted/, 'no writer and no refresh failed') or diag(@errors);
is($node->safe_psql('postgres', 'SELECT count(*) FROM misses'), '0', 'no change was missed')
    or diag($node->safe_psql('postgres', 'TABLE misses LIMIT 5'));
my $kinds = $node->safe_psql('postgres', q{SELECT string_agg(format('%s %s: %s', changed, same, n), ', ' ORDER BY changed, same)
    FROM (SELECT changed, same, count(*) AS n FROM checks GROUP BY 1, 2) AS c});
note("changed, same: $kinds");
like($kinds, qr/t f: \d+/, 'changes were found');
like($kinds, qr/f t: \d+/, 'tables were found unchanged');
note('rows: ' . $node->safe_psql('postgres', 'SELECT count(*) FROM freshcrm.table_change'));

# ---- Prepared transactions, which end after a restart; one has a mark of its own, the other had none to make.

sub state_of { return $node->safe_psql('postgres', "SELECT look('$_[0]')"); }
my $refresh = q{SELECT refresh('t1'), refresh('t2'), refresh('t3')};
$node->safe_psql('postgres', q{SELECT refresh('t1')}); # t1: nobody has written since
$node->safe_psql('postgres', q{SELECT refresh('t2')});
$node->safe_psql('postgres', q{UPDATE t2 SET v = v + 1 WHERE id = 1});
$node->safe_psql('postgres', q{BEGIN; UPDATE t1 SET v = v + 1 WHERE id = 2; UPDATE t2 SET v = v + 1 WHERE id = 2; PREPARE TRANSACTION 'kept'});
$node->safe_psql('postgres', q{BEGIN; UPDATE t3 SET v = v + 1 WHERE id = 2; PREPARE TRANSACTION 'undone'});
$node->safe_psql('postgres', $refresh);
is(state_of("t$_"), 'unchanged, same rows', "t$_ is unchanged while its writer is prepared") for 1 .. 3;
$node->restart;
is(state_of("t$_"), 'unchanged, same rows', "and after a restart: t$_") for 1 .. 3;
$node->safe_psql('postgres', $refresh);
is(state_of("t$_"), 'unchanged, same rows', "and after another refresh: t$_") for 1 .. 3;
$node->safe_psql('postgres', q{COMMIT PREPARED 'kept'});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'undone'});
is(state_of("t$_"), 'changed, other rows', "t$_ has changed when it is committed") for 1 .. 2;
is(state_of('t3'), 'unchanged, same rows', 't3 has not when it is rolled back');
$node->safe_psql('postgres', $refresh);
is(state_of("t$_"), 'unchanged, same rows', "t$_ is unchanged after a refresh") for 1 .. 3;

# ---- A crash in the middle of it all.

my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM checks');
my $crashed = start([ 'pgbench', '-n', '-c', 8, '-j', 1, '-T', 60, '--max-tries=1000', '-f', "$writes\@3", '-f', "$looks\@1", $node->connstr('postgres') ],
    '>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres', "SELECT count(*) > $before + 100 FROM checks");
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
$node->kill9;
finish($crashed);
usleep(10_000) while kill 0, $postmaster;
$node->start;
$node->safe_psql('postgres', "SELECT look('t' || i) FROM generate_series(1, $tables) AS i");
is($node->safe_psql('postgres', 'SELECT count(*) FROM misses'), '0', 'after a crash no change is missed')
    or diag($node->safe_psql('postgres', 'TABLE misses LIMIT 5'));
$node->safe_psql('postgres', "SELECT refresh('t' || i) FROM generate_series(1, $tables) AS i");
is($node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, $tables) AS i WHERE look('t' || i) <> 'unchanged, same rows'"),
    '0', 'and after a refresh none has changed');

# ---- A subscriber, where row triggers fire alone.

my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', "fsync = off\n");
$subscriber->start;
$subscriber->safe_psql('postgres', $setup . q{
    CREATE TABLE t1 (id integer PRIMARY KEY, v integer);
    SELECT freshcrm.watch_table('t1');
    INSERT INTO state (view) VALUES ('t1');
});
$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE t1');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION p");
$subscriber->wait_for_subscription_sync($node, 's');
for my $write ('UPDATE t1 SET v = v + 1 WHERE id = 1', 'INSERT INTO t1 VALUES (-1, 0)', 'DELETE FROM t1 WHERE id = 3', 'TRUNCATE t1')
{
    $subscriber->safe_psql('postgres', q{SELECT refresh('t1')});
    is($subscriber->safe_psql('postgres', q{SELECT look('t1')}), 'unchanged, same rows', 'the subscriber has refreshed');
    # What is written is what is waited for: a commit that does not wait for the log may not be in it yet.
    $node->safe_psql('postgres', "SET synchronous_commit = on; $write");
    $node->wait_for_catchup('s');
    is($subscriber->safe_psql('postgres', q{SELECT look('t1')}), 'changed, other rows', "the subscriber notices: $write");
}

done_testing();
