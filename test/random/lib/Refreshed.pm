# Materialized views over a few tables, and what sessions do to these and with them, as choices of a seed.
package Refreshed;
use strict;
use warnings;
use Exporter 'import';
use Dice;
our @EXPORT = qw(new_views writer refresher keeper is_refresh viewed is_tolerated);

my @TABLES = (
    'CREATE SCHEMA r',
    q{CREATE TABLE a (id integer PRIMARY KEY, k integer, v integer, at timestamptz DEFAULT '2026-01-01 22:30Z')},
    'CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE, v integer)',
    'CREATE TABLE p (id integer, k integer, v integer) PARTITION BY LIST (k)',
    'CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0)',
    'CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY RANGE (id)',
    'CREATE TABLE p1_low PARTITION OF p1 FOR VALUES FROM (0) TO (6)',
    'CREATE TABLE p1_high PARTITION OF p1 FOR VALUES FROM (6) TO (100)',
    'CREATE TABLE spare (id integer, k integer, v integer)',
    'CREATE TABLE c (id integer, v integer)',
    'CREATE TABLE c1 (w integer) INHERITS (c)',
    'INSERT INTO a SELECT g, g % 3, g FROM generate_series(1, 8) g',
    'INSERT INTO b SELECT g, 1 + g % 8, g FROM generate_series(1, 8) g',
    'INSERT INTO p SELECT g, g % 2, g FROM generate_series(1, 8) g',
    'INSERT INTO spare VALUES (1, 2, 1), (2, 2, 2)',
    'INSERT INTO c SELECT g, g FROM generate_series(1, 4) g',
    'INSERT INTO c1 SELECT g, g FROM generate_series(1, 4) g',
    q{CREATE FUNCTION f(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 + 1; END'},
    'CREATE VIEW v1 AS SELECT a.id, a.k, a.v + b.v AS v FROM a JOIN b ON b.a_id = a.id',
    'CREATE VIEW v2 AS SELECT v1.k, count(*) AS n, (SELECT sum(v) FROM p) AS s FROM v1 GROUP BY v1.k',
);

# With the columns of a unique index, where there may be one.
my @QUERIES = (
    [ 'SELECT k, count(*) AS n, sum(v) AS s FROM a GROUP BY k', 'k' ],
    [ 'SELECT id, v FROM a', 'id' ],
    [ 'SELECT id, f(v) AS v FROM a WHERE v >= (SELECT coalesce(min(v), 0) FROM b)', 'id' ],
    [ 'SELECT id, at::date AS day FROM a', 'id' ],
    [ 'SELECT a.id, a.v, b.v AS w FROM a LEFT JOIN b ON b.a_id = a.id' ],
    [ 'SELECT * FROM v1' ],
    [ 'SELECT * FROM v2', 'k' ],
    [ 'SELECT count(*) AS n FROM v1 WHERE EXISTS (SELECT FROM c WHERE c.v = v1.k)', 'n' ],
    [ 'SELECT id, v FROM p' ],
    [ 'SELECT id, v FROM p0' ],
    [ 'SELECT sum(v) AS s FROM p1', 's' ],
    [ 'SELECT id, v FROM p1_low UNION ALL SELECT id, v FROM spare' ],
    [ 'SELECT id, v FROM c' ],
    [ 'SELECT id, v FROM c1' ],
    [ 'SELECT id, v FROM ONLY c' ],
    [ 'WITH x AS (SELECT v FROM b) SELECT sum(x.v) AS s, (SELECT count(*) FROM spare) AS n FROM x' ],
);

my @TIME_ZONES = ('UTC', 'Asia/Tokyo');

# The names of new views, in an order in which each comes after those that it reads, and what makes them.
sub new_views
{
    my (@ddl, @names);
    for my $query (some(4 + roll(4), @QUERIES))
    {
        my $name = 'm' . @names;
        push @ddl, "CREATE MATERIALIZED VIEW $name AS $query->[0]" . (chance(0.2) ? ' WITH NO DATA' : '');
        push @ddl, "CREATE UNIQUE INDEX ON $name ($query->[1])" if $query->[1] && chance(0.5);
        push @names, $name;
    }
    for (0 .. roll(3))
    {
        my ($below, $name) = (pick(@names), 'm' . @names);
        push @ddl, "CREATE MATERIALIZED VIEW $name AS "
            . pick("SELECT count(*) AS n FROM $below", "SELECT x.*, (SELECT sum(v) FROM b) AS more_$name FROM $below x", "SELECT y.n, s.id FROM (SELECT count(*) AS n FROM $below) y, spare s") . ' WITH NO DATA';
        push @names, $name;
    }
    my @register = map { ("INSERT INTO freshcrm.matview (matview, timezone, job_name) VALUES ('$_', 'UTC', '$_')", watch($_)) } @names;
    # A view that reads another one can be populated only when that is: the first schedules do it.
    return (\@names, 'DROP SCHEMA IF EXISTS r CASCADE', @TABLES, @ddl, @register, map { "SELECT freshcrm.refresh('$_')" } @names);
}

# Partitions that came later are watched then.
sub watch
{
    my ($view) = @_;
    return "SELECT freshcrm.watch_table(s) FROM freshcrm.matview_sources('$view') x, unnest(x.sources) s JOIN pg_class ON pg_class.oid = s WHERE relkind IN ('r', 'p')";
}

sub row { return join ', ', 1 + roll(12), roll(2), roll(5); }

# What a writer does: to each table, through parents and children, of all kinds, sometimes to no row at all.
sub write_step
{
    my ($id, $v) = (1 + roll(10), roll(5));
    my $table = pick(qw(a b p p0 p1 p1_low c c1 spare));
    my $kind = weighted(update => 35, none => 8, insert => 20, delete => 10, truncate => 4, move => 6, merge => 4, writable => 5, replica => 4, nested => 4);
    return "UPDATE $table SET v = $v WHERE id = $id" if $kind eq 'update';
    return "UPDATE $table SET v = $v WHERE false" if $kind eq 'none';
    return "DELETE FROM $table WHERE id = $id" if $kind eq 'delete';
    return 'TRUNCATE ' . pick('b', 'p', 'p0', 'p1', 'c', 'ONLY c', 'c1', 'spare', 'a, b') if $kind eq 'truncate';
    return "UPDATE p SET k = 1 - k WHERE id = $id AND k < 2" if $kind eq 'move';
    return "MERGE INTO a USING (SELECT $id AS id) s ON s.id = a.id WHEN MATCHED THEN UPDATE SET v = $v WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.id, 0, $v)" if $kind eq 'merge';
    return "WITH gone AS (DELETE FROM c WHERE id = $id RETURNING id) INSERT INTO spare SELECT id, 2, $v FROM gone" if $kind eq 'writable';
    return "DO 'BEGIN SET LOCAL session_replication_role = replica; UPDATE $table SET v = $v WHERE id = $id; SET LOCAL session_replication_role = origin; END'" if $kind eq 'replica';
    return "DO 'BEGIN BEGIN UPDATE $table SET v = $v; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN " . pick('NULL', "UPDATE $table SET v = $v + 1 WHERE id = $id") . "; END; END'" if $kind eq 'nested';
    return pick(
        "INSERT INTO a (id, k, v) VALUES ($id, 1, $v) ON CONFLICT (id) DO " . pick('NOTHING', 'UPDATE SET v = excluded.v', "UPDATE SET at = a.at + interval '1 hour'"),
        "INSERT INTO b VALUES ($id, (SELECT min(id) FROM a), $v) ON CONFLICT DO NOTHING",
        'INSERT INTO ' . pick(qw(p p p0)) . " VALUES ($id, 0, $v)", "INSERT INTO p VALUES ($id, 1, $v)",
        "INSERT INTO c VALUES ($id, $v)", "INSERT INTO c1 VALUES ($id, $v, 0)", "INSERT INTO spare VALUES ($id, 2, $v)");
}

sub refresh_step
{
    my ($views, $mode) = @_;
    my $view = pick(@$views);
    return "SELECT status FROM freshcrm.refresh('$view'" . ($mode // (chance(0.9) ? '' : ", 'plain'")) . ')';
}

sub is_refresh { return $_[0] =~ /^SELECT status FROM freshcrm\.refresh/; }
sub viewed { return $_[0] =~ /refresh\('(\w+)'/ ? $1 : die "no refresh: $_[0]"; }

my $prepared = 0;

# Some of them refresh a view within, and so read what they have written.
sub writer
{
    my ($views) = @_;
    return map { write_step() } 1 .. 1 + roll(3) if chance(0.25);
    my @steps = ('BEGIN ISOLATION LEVEL ' . weighted('READ COMMITTED' => 60, 'REPEATABLE READ' => 25, SERIALIZABLE => 15));
    my $open = 0;
    for (1 .. 1 + roll(4))
    {
        my $kind = weighted(write => 70, savepoint => 22, refresh => 8);
        if ($kind eq 'write') { push @steps, write_step(); }
        elsif ($kind eq 'refresh') { push @steps, refresh_step($views); }
        elsif ($open) { push @steps, pick('ROLLBACK TO s', 'RELEASE s', 'ROLLBACK TO s'); $open = $steps[-1] =~ /^ROLLBACK/; }
        else { push @steps, 'SAVEPOINT s', write_step(); $open = 1; }
    }
    push @steps, 'ROLLBACK TO s' if $open && chance(0.5);
    my $end = weighted(COMMIT => 60, ROLLBACK => 25, prepare => 15);
    return (@steps, $end) unless $end eq 'prepare';
    my $name = "'p" . ++$prepared . "'";
    return (@steps, "PREPARE TRANSACTION $name", 'ROLLBACK', pick('COMMIT', 'COMMIT', 'ROLLBACK') . " PREPARED $name");
}

sub refresher
{
    my ($views) = @_;
    my @zone = chance(0.15) ? "SET TimeZone = '" . pick(@TIME_ZONES) . "'" : ();
    return (@zone, map { refresh_step($views) } 1 .. 2 + roll(5)) if chance(0.75);
    return ('BEGIN ISOLATION LEVEL ' . pick('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ'), @zone, (map { refresh_step($views) } 1 .. 1 + roll(3)), pick('COMMIT', 'COMMIT', 'ROLLBACK'));
}

# DDL, and what is done beside, each a transaction of its own.
sub keeper
{
    my ($views) = @_;
    my $view = pick(@$views);
    my $more = roll(3);
    return map { pick(
        'SELECT freshcrm.forget_seen_changes()', 'SELECT freshcrm.forget_seen_changes()', "REFRESH MATERIALIZED VIEW $view", "REFRESH MATERIALIZED VIEW $view", watch($view), watch($view), 'VACUUM freshcrm.table_change',
        "CREATE OR REPLACE VIEW v1 AS SELECT a.id, a.k, a.v + $more * b.v AS v FROM a JOIN b ON b.a_id = a.id",
        "CREATE OR REPLACE FUNCTION f(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN \$1 + $more; END'",
        'ALTER TABLE p ATTACH PARTITION spare FOR VALUES IN (2)', 'ALTER TABLE p DETACH PARTITION spare', 'ALTER TABLE p DETACH PARTITION p0', 'ALTER TABLE p ATTACH PARTITION p0 FOR VALUES IN (0)',
        'CREATE TABLE IF NOT EXISTS p3 PARTITION OF p FOR VALUES IN (3)', 'DROP TABLE IF EXISTS p3', 'INSERT INTO p VALUES (1, 3, 3)', 'CREATE TABLE IF NOT EXISTS c2 () INHERITS (c)', 'INSERT INTO c2 VALUES (20, 20)', 'ALTER TABLE c2 NO INHERIT c', 'ALTER TABLE c2 INHERIT c',
        "ALTER TABLE a ADD COLUMN x$more integer DEFAULT 1", "ALTER TABLE a DROP COLUMN IF EXISTS x$more", 'ALTER TABLE b ALTER v SET DEFAULT 3', 'ALTER TABLE b DISABLE TRIGGER USER', 'ALTER TABLE b ENABLE TRIGGER USER',
        'VACUUM FULL a', 'ANALYZE a', 'DROP TRIGGER IF EXISTS freshcrm_watch ON c1', 'UPDATE a SET v = v + 1', 'UPDATE b SET v = v + 1', 'UPDATE c SET v = v + 1', 'UPDATE spare SET v = v + 1') } 1 .. 1 + roll(4);
}

# What such sessions must expect: serialization failures, deadlocks, lock timeouts, failed transactions, values without a
# partition or that are there already, objects that are gone or not yet there, what may not be in use or prepared.
sub is_tolerated { return $_[0] =~ /^(40001|40P01|55P03|25P0[12]|23503|23505|23514|42P01|42P07|42704|42701|42809|42P17|3B001|55006|55000|0A000|25001)$/; }

1;
