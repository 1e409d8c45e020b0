# Projections over materialized views in restored databases: a restore refreshes these last, from tables that have
# changed since they were refreshed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('matviews');
$node->init;
$node->start;
my $dir = $node->basedir;
$node->safe_psql('postgres', 'CREATE ROLE reader; CREATE DATABASE source');
# A view of a table and two materialized views, one that reads nothing else, one of mode async, one over another
# projection, one whose owner reads by a grant, which a restore makes last; one that is made of no rows.
$node->safe_psql('source', q{
    CREATE EXTENSION freshcrm;
    CREATE SCHEMA crm;
    CREATE TABLE crm.leads (id integer PRIMARY KEY, name text);
    CREATE TABLE crm.events (id integer PRIMARY KEY, lead_id integer, amount integer);
    INSERT INTO crm.leads SELECT g, 'lead ' || g FROM generate_series(1, 100) g;
    INSERT INTO crm.events SELECT g, 1 + g % 100, g FROM generate_series(1, 1000) g;
    CREATE MATERIALIZED VIEW crm.totals AS SELECT lead_id, sum(amount) AS total FROM crm.events GROUP BY lead_id;
    CREATE UNIQUE INDEX ON crm.totals (lead_id);
    CREATE MATERIALIZED VIEW crm.latest AS SELECT DISTINCT ON (lead_id) lead_id, id FROM crm.events ORDER BY lead_id, id DESC;
    CREATE UNIQUE INDEX ON crm.latest (lead_id);
    CREATE MATERIALIZED VIEW crm.nothing AS SELECT id FROM crm.leads WHERE false;
    CREATE VIEW crm.both AS SELECT l.id, l.name, t.total, e.id AS latest FROM crm.leads l
        LEFT JOIN crm.totals t ON t.lead_id = l.id LEFT JOIN crm.latest e ON e.lead_id = l.id;
    CREATE VIEW crm.alone AS SELECT lead_id, total FROM crm.totals;
    CREATE VIEW crm.later AS SELECT l.id, t.total FROM crm.leads l JOIN crm.totals t ON t.lead_id = l.id;
    CREATE VIEW crm.over AS SELECT h.id, h.total * 2 AS twice FROM crm.both_hot h;
    CREATE VIEW crm.empty AS SELECT n.id FROM crm.nothing n;
    CREATE VIEW crm.of_reader AS SELECT e.lead_id, e.id FROM crm.latest e;
    ALTER VIEW crm.of_reader OWNER TO reader;
    GRANT SELECT ON crm.latest TO reader;
    GRANT USAGE, CREATE ON SCHEMA crm TO reader;
    SELECT freshcrm.create_projection('crm.both', '{id}'), freshcrm.create_projection('crm.alone', '{lead_id}'),
        freshcrm.create_projection('crm.later', '{id}', mode => 'async'), freshcrm.create_projection('crm.empty', '{id}'),
        freshcrm.create_projection('crm.of_reader', '{lead_id}');
} =~ s/(CREATE VIEW crm.over[^;]*;)(.*)$/$2 $1 SELECT freshcrm.create_projection('crm.over', '{id}');/sr);
# Since then:
$node->safe_psql('source', q{UPDATE crm.events SET amount = amount + 1 WHERE lead_id = 7; INSERT INTO crm.events VALUES (2000, 8, 1)});

my $states = q{SELECT string_agg(projection || ' ' || state, ', ' ORDER BY projection::text) FROM freshcrm.projections WHERE state NOT IN ('current', 'behind')};
my $differences = q{SELECT coalesce(string_agg(p.projection || ' ' || v.difference || v.key, ', '), '')
    FROM freshcrm.projections p, freshcrm.verify_projection(p.projection) v};
is($node->safe_psql('source', $differences), '', 'source: nothing differs');

sub check_maintained
{
    my $name = shift;
    $node->safe_psql($name, q{
        UPDATE crm.leads SET name = 'renamed' WHERE id = 3;
        UPDATE crm.events SET amount = 5000 WHERE id = 3;
        REFRESH MATERIALIZED VIEW CONCURRENTLY crm.totals;
        INSERT INTO crm.events VALUES (3000, 3, 3);
        REFRESH MATERIALIZED VIEW crm.latest;
        SELECT freshcrm.wait_for('crm.later_hot', '60 s');});
    is($node->safe_psql($name, $differences), '', "$name: refreshes and writes are maintained");
    is($node->safe_psql($name, q{SELECT name, latest, (SELECT id FROM crm.of_reader_hot WHERE lead_id = 3) FROM crm.both_hot WHERE id = 3}),
        'renamed|3000|3000', "$name: to the right rows");
    return;
}

sub check_copy
{
    my $name = shift;
    is($node->safe_psql($name, $states), '', "$name: complete");
    $node->safe_psql($name, q{SELECT freshcrm.wait_for('crm.later_hot', '60 s')});
    is($node->safe_psql($name, $differences), '', "$name: nothing differs");
    is($node->safe_psql($name, q{SELECT latest FROM crm.both_hot WHERE id = 8}), '2000', "$name: as refreshed by the restore");
    check_maintained($name);
    return;
}

sub database
{
    my $name = shift;
    $node->safe_psql('postgres', "CREATE DATABASE $name");
    return ('-d', $node->connstr($name));
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('source') ], 'dump as SQL');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/all.dump", $node->connstr('source') ], 'dump as archive');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", database('plain') ], 'plain: restore');
check_copy('plain');
$node->command_ok([ 'pg_restore', '-e', database('custom'), "$dir/all.dump" ], 'custom: restore');
check_copy('custom');
$node->command_ok([ 'pg_restore', '-e', '--single-transaction', database('single'), "$dir/all.dump" ], 'single: restore');
check_copy('single');
for my $round (1 .. 3)
{
    $node->command_ok([ 'pg_restore', '-e', '-j', '3', database("parallel_$round"), "$dir/all.dump" ], "parallel_$round: restore");
    check_copy("parallel_$round");
}
my @sections = database('sections');
$node->command_ok([ 'pg_restore', '-e', "--section=$_", @sections, "$dir/all.dump" ], "sections: $_") for qw(pre-data data post-data);
check_copy('sections');

# Somebody refreshes in between: not everything is there yet, and what comes is not what was dumped.
my @early = database('early');
$node->command_ok([ 'pg_restore', '-e', "--section=$_", @early, "$dir/all.dump" ], "early: $_") for qw(pre-data data);
$node->safe_psql('early', 'REFRESH MATERIALIZED VIEW crm.totals; REFRESH MATERIALIZED VIEW crm.latest; REFRESH MATERIALIZED VIEW crm.nothing');
$node->command_ok([ 'pg_restore', '-e', '--section=post-data', @early, "$dir/all.dump" ], 'early: post-data');
check_copy('early');

# The schema, and later the data.
my @apart = database('apart');
$node->command_ok([ 'pg_restore', '-e', '--schema-only', @apart, "$dir/all.dump" ], 'apart: schema');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '--disable-triggers', @apart, "$dir/all.dump" ], 'apart: data');
$node->safe_psql('apart', 'REFRESH MATERIALIZED VIEW crm.totals; REFRESH MATERIALIZED VIEW crm.latest; REFRESH MATERIALIZED VIEW crm.nothing');
check_copy('apart');

$node->stop;
done_testing();
