# Dumps restored for another owner, under another name, in parallel, and in part: the same tags, and writes maintained.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('elsewhere');
$node->init;
$node->start;
my $dir = $node->basedir;
$node->safe_psql('postgres', q{
    CREATE ROLE crm_owner LOGIN;
    CREATE ROLE table_owner;
    CREATE ROLE other_superuser SUPERUSER LOGIN;
    CREATE ROLE lead_owner;
    GRANT lead_owner, crm_owner TO other_superuser;
    CREATE DATABASE source;
});
# A view whose owner may read the tables by a grant alone, which a restore makes last; tables in partitions; several
# projections of a table, one over another; tables that lineage cannot trace; names that need quotes.
$node->safe_psql('source', q{
    CREATE EXTENSION freshcrm;
    CREATE SCHEMA "old name" AUTHORIZATION crm_owner;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA freshcrm TO crm_owner;
    SET search_path = "old name";
    CREATE TABLE customers (id integer PRIMARY KEY, name text);
    CREATE TABLE leads (id integer, region text, customer integer, amount numeric(10, 2), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE "leads N" PARTITION OF leads FOR VALUES IN ('n');
    CREATE TABLE leads_s (amount numeric(10, 2), customer integer, region text NOT NULL, id integer NOT NULL, PRIMARY KEY (id, region)) PARTITION BY RANGE (id);
    ALTER TABLE leads ATTACH PARTITION leads_s FOR VALUES IN ('s');
    CREATE TABLE leads_s1 PARTITION OF leads_s FOR VALUES FROM (1) TO (100000);
    CREATE INDEX ON leads (customer);
    CREATE TABLE marks (id integer PRIMARY KEY, above numeric);
    ALTER TABLE customers OWNER TO table_owner;
    ALTER TABLE leads OWNER TO table_owner;
    GRANT USAGE ON SCHEMA "old name" TO table_owner;
    GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA "old name" TO crm_owner;
    INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 50) g;
    INSERT INTO leads SELECT g, CASE WHEN g % 3 = 0 THEN 's' ELSE 'n' END, 1 + g % 50, g FROM generate_series(1, 500) g;
    INSERT INTO marks VALUES (1, 100), (2, 400);
    SET SESSION AUTHORIZATION crm_owner;
    CREATE VIEW "Live" AS SELECT c.id, c.name AS "the name", (SELECT sum(l.amount) FROM leads l WHERE l.customer = c.id) AS total FROM customers c;
    CREATE VIEW each AS SELECT l.id, l.region, c.name FROM leads l JOIN customers c ON c.id = l.customer;
    CREATE VIEW counted AS SELECT m.id, (SELECT count(*) FROM leads l WHERE l.amount > m.above) AS leads FROM marks m;
    CREATE VIEW counted_too AS SELECT * FROM counted;
    SELECT freshcrm.create_projection('"Live"', '{id}', options => '{"trigger_names": {"\"old name\".customers": "keep \"it\""}}');
    SELECT freshcrm.create_projection('each', '{region,id}');
    SELECT freshcrm.create_projection('counted', '{id}', options => '{"full": ["\"old name\".leads"]}');
    SELECT freshcrm.create_projection('counted_too', '{id}', options =>
        '{"mapping": {"\"old name\".leads": "SELECT m.id FROM changed c JOIN \"old name\".marks m ON c.amount > m.above"}}');
    CREATE VIEW over AS SELECT h.id, h."the name" || ':' || h.total AS text FROM "Live_hot" h;
    SELECT freshcrm.create_projection('over', '{id}');
    RESET SESSION AUTHORIZATION;
    UPDATE customers SET name = upper(name) WHERE id < 10;
});
my @views = ('"Live"', qw(each counted counted_too over));
my %schema = (source => '"old name"');

sub tags
{
    my $name = shift;
    return $node->safe_psql($name, "SET search_path = $schema{$name}; " . join ' UNION ALL ',
        map { my $hot = $_ eq '"Live"' ? '"Live_hot"' : "${_}_hot"; "(SELECT string_agg(id || version_etag, ',' ORDER BY id) FROM $hot)" } @views);
}
my $differences = q{SELECT coalesce(string_agg(p.projection || ' ' || v.difference || v.key, ', '), '')
    FROM freshcrm.projections p, freshcrm.verify_projection(p.projection) v};
my $source_tags;

sub check_maintained
{
    my $name = shift;
    is($node->safe_psql($name, $differences), '', "$name: nothing differs");
    $node->safe_psql($name, qq{
        SET search_path = $schema{$name};
        UPDATE customers SET name = 'later ' || id WHERE id % 2 = 0;
        INSERT INTO leads VALUES (1000, 'n', 7, 1000), (1001, 's', 8, 1001);
        UPDATE leads SET region = 's', amount = amount + 1 WHERE id BETWEEN 10 AND 20;
        DELETE FROM "leads N" WHERE id > 450;
        MERGE INTO leads l USING generate_series(30, 40) g ON l.id = g
            WHEN MATCHED THEN UPDATE SET region = CASE l.region WHEN 's' THEN 'n' ELSE 's' END, id = l.id + 2000;
        TRUNCATE leads_s1;
        INSERT INTO marks VALUES (3, 900);});
    is($node->safe_psql($name, $differences), '', "$name: writes are maintained");
    is($node->safe_psql($name, qq{SELECT count(*), min(text) FROM $schema{$name}.over_hot WHERE text LIKE 'later%'}), '25|later 10:1404.00',
        "$name: there were some");
}

sub check_copy
{
    my ($name, $owner) = @_;
    is(tags($name), $source_tags, "$name: the same tags");
    is($node->safe_psql($name, q{SELECT state, owner, count(*) FROM freshcrm.projections GROUP BY 1, 2}), "current|$owner|5", "$name: states and owners");
    check_maintained($name);
}

sub make_database
{
    my ($name, $schema) = @_;
    $node->safe_psql('postgres', "CREATE DATABASE $name");
    $schema{$name} = $schema // '"old name"';
}

sub restore
{
    my ($name, @options) = @_;
    $node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr($name), @options, "$dir/all.dump" ], "$name: restore");
}

$source_tags = tags('source');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/all.dump", $node->connstr('source') ], 'dump as archive');
$node->command_ok([ 'pg_dump', '-Fd', '-j', '2', '-f', "$dir/all", $node->connstr('source') ], 'dump as directory, in parallel');
$node->command_ok([ 'pg_dump', '-n', '"old name"', '-f', "$dir/part.sql", $node->connstr('source') ], 'dump of one schema');

make_database('same_owner');
restore('same_owner');
check_copy('same_owner', 'crm_owner');

make_database('no_owner');
restore('no_owner', '--no-owner', '--no-privileges', '-U', 'other_superuser');
check_copy('no_owner', 'other_superuser');

make_database('set_role');
$node->safe_psql('postgres', 'CREATE ROLE acting SUPERUSER');
restore('set_role', '--role', 'acting', '--no-owner');
check_copy('set_role', 'acting');

# The pieces of a parallel restore end in any order: several times.
for my $round (1 .. 3)
{
    make_database("parallel_$round");
    restore("parallel_$round", '-j', '3');
    check_copy("parallel_$round", 'crm_owner');
}
make_database('directory');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('directory'), "$dir/all" ], 'directory: restore in parallel');
check_copy('directory', 'crm_owner');

# Renamed before the dump, with a projection and its view. The text of a mapping query still has the old name.
$node->safe_psql('source', q{
    SELECT freshcrm.drop_projection('"old name".counted_too_hot');
    DROP VIEW "old name".counted_too;
    ALTER SCHEMA "old name" RENAME TO crm;});
$schema{source} = 'crm';
@views = grep { $_ ne 'counted_too' } @views;
$source_tags = tags('source');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/all.dump", $node->connstr('source') ], 'dump of the renamed schema');
make_database('renamed', 'crm');
restore('renamed');
is(tags('renamed'), $source_tags, 'renamed: the same tags');
check_maintained('renamed');

# A role that is missing: its objects go to who restores, and owners of views and tables may then differ.
$node->command_ok([ 'pg_dump', '-f', "$dir/all.sql", $node->connstr('source') ], 'dump as SQL');
my $sql = slurp_file("$dir/all.sql");
$sql =~ s/\bcrm_owner\b/nobody_here/g;
open my $out, '>', "$dir/missing_role.sql" or die $!;
print $out $sql;
close $out;
make_database('missing_role', 'crm');
my (undef, $errors) = run_command([ 'psql', '-X', '-q', '-f', "$dir/missing_role.sql", '-d', $node->connstr('missing_role') ]);
unlike($errors =~ s/.*role "nobody_here" does not exist//gr, qr/ERROR/, 'missing_role: only the role is missing');
is(tags('missing_role'), $source_tags, 'missing_role: the same tags');
check_maintained('missing_role');

# One schema without the definitions, where another projection has taken their ids.
make_database('part');
$node->safe_psql('part', q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE t (id integer PRIMARY KEY);
    CREATE VIEW v AS SELECT id FROM t;
    SELECT freshcrm.create_projection('v', '{id}');});
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/part.sql", '-d', $node->connstr('part') ], 'part: restore');
my ($status, undef, $message) = $node->psql('part', q{UPDATE "old name".customers SET name = 'x' WHERE id = 1});
like($message, qr/table old name.customers is no source of projection public.v_hot/, 'part: the id of another projection is an error');
like($message, qr/HINT: .*create_projection/, 'part: that says what to do');
$node->safe_psql('part', q{SELECT freshcrm.drop_projection('v_hot')});
($status, undef, $message) = $node->psql('part', q{UPDATE "old name".leads SET amount = amount + 1 WHERE id = 1});
is($status, 0, 'part: writes pass without a definition');
like($message, qr/WARNING: .*projection 2 is not maintained\n.*\n.*create the projection again/, 'part: and say so');
for my $view (@views, 'counted_too')
{
    my $key = $view eq 'each' ? '{region,id}' : '{id}';
    my $options = $view =~ /counted/ ? '{"full": ["\"old name\".leads"]}' : '{}';
    $node->safe_psql('part', qq{SET search_path = "old name"; SELECT freshcrm.create_projection('$view', '$key', options => '$options')});
}
check_maintained('part');
is($node->safe_psql('part', q{SELECT count(*) FROM pg_trigger g WHERE tgfoid = 'freshcrm.capture'::regproc
        AND NOT EXISTS (SELECT FROM freshcrm.projection p WHERE g.tgargs = convert_to(p.id::text, 'UTF8') || '\x00')}),
    '0', 'part: no trigger is left over');

$node->stop;
done_testing();
