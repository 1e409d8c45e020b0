# A schema restored apart from its data: projections are maintained again, or say that they are not and are mended
# by one call. Data come in the order of the names of schemas and tables, so that the projections lie before, between
# and after their base tables, and all of these before, between and after freshcrm.projection.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('apart');
$node->init;
$node->start;
my $dir = $node->basedir;

my @projections = qw(a_hot m_hot z_hot over_hot empty_hot);
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION freshcrm');
for my $schema (qw(crm public zoo))
{
    $node->safe_psql('source', qq{
        CREATE SCHEMA IF NOT EXISTS $schema;
        SET search_path = $schema;
        CREATE TABLE b_customers (id integer PRIMARY KEY, name text);
        CREATE TABLE n_orders (id integer PRIMARY KEY, customer integer REFERENCES b_customers, total integer);
        CREATE INDEX ON n_orders (customer);
        INSERT INTO b_customers SELECT g, 'c' || g FROM generate_series(1, 20) g;
        INSERT INTO n_orders SELECT g, 1 + g % 20, g FROM generate_series(1, 100) g;
        CREATE VIEW live AS
            SELECT c.id, c.name, (SELECT sum(o.total) FROM n_orders o WHERE o.customer = c.id) AS total FROM b_customers c;
        CREATE VIEW empty AS SELECT id, name FROM b_customers WHERE id < 0;
        SELECT freshcrm.create_projection('live', '{id}', 'a_hot');
        SELECT freshcrm.create_projection('live', '{id}', 'm_hot');
        SELECT freshcrm.create_projection('live', '{id}', 'z_hot');
        SELECT freshcrm.create_projection('empty', '{id}');
        CREATE VIEW over AS SELECT id, name || total AS text FROM m_hot;
        SELECT freshcrm.create_projection('over', '{id}');
        UPDATE b_customers SET name = 'renamed' WHERE id = 3;
    });
}
my $differences = q{SELECT coalesce(string_agg(p.projection || ' ' || v.difference || v.key, ', '), '')
    FROM freshcrm.projections p, freshcrm.verify_projection(p.projection) v};
my $states = q{SELECT state, count(*) FROM freshcrm.projections GROUP BY state ORDER BY state};
my $tags = 'SELECT string_agg(t, E\'\n\') FROM (' . join(' UNION ALL ', map {
        my $schema = $_;
        map { "SELECT string_agg(updated_at || version_etag, ',' ORDER BY id) AS t FROM $schema.$_" } @projections
    } qw(crm public zoo)) . ') s';
my $source_tags = $node->safe_psql('source', $tags);

sub psql_file
{
    my ($database, $file) = @_;
    my ($out, $err) = run_command([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($database) ]);
    unlike($err, qr/ERROR/, "$database: $file is restored");
    return $err;
}

# After each restore: what is current is, what is restored says so, one call mends all, and then writes are followed.
sub check_copy
{
    my ($name, $expected_states) = @_;
    is($node->safe_psql($name, $tags), $source_tags, "$name: the rows are those that were dumped");
    is($node->safe_psql($name, $states), $expected_states, "$name: states");
    is($node->safe_psql($name, $differences), '', "$name: nothing differs");
    my (undef, undef, $warnings) = $node->psql($name,
        q{UPDATE crm.b_customers SET name = 'Later' WHERE id < 5; INSERT INTO public.n_orders VALUES (1000, 1, 1); DELETE FROM zoo.n_orders WHERE id = 7;
          INSERT INTO crm.b_customers VALUES (-1, 'no longer empty');});
    is($node->safe_psql($name, qq{
        SELECT count(*) FROM freshcrm.projections p WHERE state = 'current'
           AND EXISTS (SELECT FROM freshcrm.verify_projection(p.projection))}), '0', "$name: no projection is wrong and says current");
    my @restored = split /\n/, $node->safe_psql($name, q{SELECT projection FROM freshcrm.projections WHERE state = 'restored'});
    is(@restored > 0, $warnings =~ /projection \S+ is not maintained/, "$name: writes warn when something is not maintained");
    $node->safe_psql($name, q{SELECT freshcrm.verify_projection(projection, repair => true) FROM freshcrm.projections WHERE state = 'restored'});
    is($node->safe_psql($name, $states), 'current|15', "$name: one call mends each");
    is($node->safe_psql($name, $differences), '', "$name: nothing differs any more");
    $node->safe_psql($name, join ';', map { (
            "UPDATE $_.b_customers SET name = 'x' || id WHERE id % 2 = 0", "DELETE FROM $_.n_orders WHERE id % 3 = 0",
            "INSERT INTO $_.b_customers VALUES (100, 'new'), (-5, 'not empty')", "UPDATE $_.n_orders SET customer = 100 WHERE id < 9")
        } qw(crm public zoo));
    is($node->safe_psql($name, $differences), '', "$name: writes are maintained");
    is($node->safe_psql($name, q{SELECT count(*) FROM zoo.a_hot WHERE name LIKE 'x%'}), '10', "$name: there were some");
    is($node->safe_psql($name, q{SELECT count(*) FROM pg_trigger WHERE tgfoid = 'freshcrm.capture'::regproc
                                 AND tgenabled <> CASE WHEN tgname LIKE '%replica' THEN 'R' WHEN tgname LIKE '%truncate' THEN 'A' ELSE 'O' END::"char"}),
        '0', "$name: triggers fire as they did");
}

my @dump = ('pg_dump', '-d', $node->connstr('source'));
$node->command_ok([ @dump, '-s', '-f', "$dir/schema.sql" ], 'dump of the schema');
$node->command_ok([ @dump, '-a', '-f', "$dir/data.sql" ], 'dump of the data');
$node->command_ok([ @dump, '-a', '--disable-triggers', '-f', "$dir/disabled.sql" ], 'dump of the data with triggers disabled');
$node->command_ok([ @dump, '-a', '--inserts', '-f', "$dir/inserts.sql" ], 'dump of the data as INSERTs');
$node->command_ok([ @dump, '-Fc', '-f', "$dir/all.dump" ], 'dump of both');

sub make_database
{
    my $name = shift;
    $node->safe_psql('postgres', "CREATE DATABASE $name");
    psql_file($name, "$dir/schema.sql");
}

# Only where the definitions come last can the restore be seen to be complete.
make_database('data');
like(psql_file('data', "$dir/data.sql"), qr/WARNING: *projection \S+ is not maintained\nDETAIL/, 'data: loads warn');
check_copy('data', "current|4\nrestored|11");

make_database('inserts');
psql_file('inserts', "$dir/inserts.sql");
check_copy('inserts', "current|4\nrestored|11");

make_database('disabled');
psql_file('disabled', "$dir/disabled.sql");
check_copy('disabled', "current|12\nrestored|3");

make_database('archive');
$node->command_ok([ 'pg_restore', '-e', '-1', '-a', '--disable-triggers', '-d', $node->connstr('archive'), "$dir/all.dump" ],
    'archive: data in one transaction');
check_copy('archive', "current|12\nrestored|3");

make_database('replica');
{
    local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
    psql_file('replica', "$dir/data.sql");
}
check_copy('replica', "current|4\nrestored|11");

$node->safe_psql('postgres', 'CREATE DATABASE sections');
$node->command_ok([ 'pg_restore', '-e', '--section', $_, '-d', $node->connstr('sections'), "$dir/all.dump" ], "sections: $_")
    for qw(pre-data data post-data);
check_copy('sections', 'current|15');

# A dump without the rows of a projection.
$node->command_ok([ @dump, '--exclude-table-data=*.[am]_hot', '-f', "$dir/without.sql" ], 'dump without rows of projections');
$node->safe_psql('postgres', 'CREATE DATABASE without');
psql_file('without', "$dir/without.sql");
is($node->safe_psql('without', $states), "current|9\nrestored|6", 'without rows: it is seen');
$node->safe_psql('without', q{SELECT freshcrm.verify_projection(projection, repair => true) FROM freshcrm.projections});
is($node->safe_psql('without', $states . ';' . $differences), "current|15\n", 'without rows: they are made');

# A definition that is written past while it is being restored is not taken for right when its triggers are complete.
$node->safe_psql('postgres', 'CREATE DATABASE meanwhile');
psql_file('meanwhile', "$dir/schema.sql");
$node->safe_psql('meanwhile', q{
    DROP TRIGGER freshcrm_1_truncate ON crm.n_orders;
    SET session_replication_role = replica;});
$node->command_ok([ 'pg_restore', '-e', '-a', '-d', $node->connstr('meanwhile'), "$dir/all.dump" ], 'meanwhile: data');
$node->psql('meanwhile', q{UPDATE crm.b_customers SET name = 'written meanwhile'});
$node->safe_psql('meanwhile', q{
    CREATE TRIGGER freshcrm_1_truncate AFTER TRUNCATE ON crm.n_orders EXECUTE FUNCTION freshcrm.capture('1')});
is($node->safe_psql('meanwhile', q{SELECT state FROM freshcrm.projections WHERE projection = 'crm.a_hot'::regclass}), 'restored',
    'meanwhile: the last trigger does not hide what was missed');

# Whoever has written past a projection and not ended yet is waited for, so that nothing is missed.
my $writer = $node->background_psql('inserts', on_error_stop => 0);
$node->safe_psql('inserts', q{UPDATE freshcrm.projection SET whole = 1 WHERE target = 'crm.z_hot'::regclass});
$writer->query('BEGIN');
$writer->query(q{UPDATE crm.b_customers SET name = 'in between' WHERE id = 2});
my $repair = $node->background_psql('inserts', on_error_stop => 0);
$repair->query_until(qr/start/, "\\echo start\nSELECT freshcrm.verify_projection('crm.z_hot', repair => true);\n");
ok($node->poll_query_until('inserts', q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)}), 'the repair waits for a writer');
$writer->query('COMMIT');
$writer->quit;
$repair->quit;
is($node->safe_psql('inserts', $differences), '', 'nothing was missed');

$node->stop;
done_testing();
