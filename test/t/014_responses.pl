# The counts of conditional requests: exact however many sessions count at once, not undone by rollbacks, of reads in
# read-only transactions and on a standby, bounded, and given to others when what they count is gone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $most = 512;
my $schema = q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE leads (id integer PRIMARY KEY, owner text);
    CREATE VIEW live AS SELECT id, owner FROM leads;
    CREATE VIEW other AS SELECT id FROM leads;
    INSERT INTO leads VALUES (1, 'ann'), (2, 'bob');
    SELECT freshcrm.create_projection('live', '{id}'), freshcrm.create_projection('other', '{id}');
};

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 50\n");
$node->start;
$node->safe_psql('postgres', $schema);
sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }
sub stats { my ($where, $db) = @_; return sql(q{SELECT projection, scope, ok, not_modified, precondition_failed, hit_ratio FROM freshcrm.conditional_stats
    WHERE } . ($where // 'true') . q{ ORDER BY projection::text, scope}, $db); }

# Not preloaded.
sql(q{SELECT freshcrm.conditional_get('live_hot')});
is(sql('SELECT num_nulls(projection, scope, ok, not_modified, precondition_failed), note FROM freshcrm.conditional_stats'),
    '5|Nothing is counted: shared_preload_libraries does not name freshcrm.', 'a note says that nothing is counted');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'freshcrm'\nfreshcrm.http_dialect = plain\n");
$node->restart;
is(stats(), '', 'from nothing after a start');
is(sql('SHOW freshcrm.http_dialect'), 'plain', 'settings of the configuration file are known');

# Reads of a projection and a scope.
my $etag = sql(q{SELECT etag FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}')});
sql(qq{BEGIN READ ONLY; SELECT freshcrm.conditional_get('live_hot', '{"owner": "ann"}', '$etag'); COMMIT}) for 1 .. 3;
is(stats(), 'live_hot|{"owner": "ann"}|1|3|0|0.7500', 'reads are counted by projection and scope');
sql(qq{BEGIN; SELECT freshcrm.conditional_get('live_hot', '{"owner": "ann"}', '$etag'); ROLLBACK});
is(stats(), 'live_hot|{"owner": "ann"}|1|4|0|0.8000', 'a rollback does not undo them');
# What fails is what is counted as 412, and answers of pre_request() end in errors.
my ($status, $out, $err) = $node->psql('postgres', q{UPDATE leads SET owner = 'x' WHERE id = 1 AND freshcrm.check_match('other_hot', 1, '"x"') IS NOT NULL});
like($err, qr/precondition failed/, 'a write that is refused');
sql(q{UPDATE leads SET owner = 'ann' WHERE id = 1 AND freshcrm.check_match('other_hot', 1, '*') IS NOT NULL});
sql(q{SELECT freshcrm.check_match('other_hot', 1, NULL)});
my $request = q{SET request.method = 'GET'; SET request.path = '/other_hot'; SET freshcrm.http_dialect = auto;};
my $answer = sql(qq{$request BEGIN; SELECT freshcrm.pre_request(); SELECT current_setting('response.headers')::jsonb -> 0 ->> 'ETag'});
$answer =~ s/^\s+//;
($status, $out, $err) = $node->psql('postgres', qq{$request SET request.headers = '{"if-none-match": "W/\\"@{[ $answer =~ /"(.*)"/ ]}\\""}'; SELECT freshcrm.pre_request()});
like($err, qr/FC304/, 'a request that is answered before it is carried out');
is(stats(q{projection = 'other_hot'::regclass}), 'other_hot|{}|2|1|1|0.3333', 'are counted');

# The application's own answers; the same scope whichever way it is written.
sql(q{SELECT freshcrm.count_response('live_hot', '{"b": 1, "a":2}', 304), freshcrm.count_response('live_hot', '{"a": 2, "b": 1}', 200), freshcrm.count_response('live_hot', '{}', 404)});
is(stats(q{scope LIKE '%"a"%'}), 'live_hot|{"a": 2, "b": 1}|1|1|0|0.5000', 'one scope is one row');
# Scopes longer than a counter has room for.
sql(q{SELECT freshcrm.count_response('live_hot', jsonb_build_object('owner', repeat('ä', 500) || i % 2), 304) FROM generate_series(1, 4) i});
is(sql(q[SELECT count(*), min(not_modified), max(not_modified), max(octet_length(scope)) < 160, bool_and(scope LIKE '{"owner": "ää%… %') FROM freshcrm.conditional_stats WHERE scope LIKE '%ää%']),
    '2|2|2|t|t', 'long scopes are told apart');

# Many sessions at once, of which each is the first.
my $script = $node->basedir . '/count.sql';
append_to_file($script, q{SELECT freshcrm.count_response('live_hot', jsonb_build_object('n', i % 10), 200) FROM generate_series(1, 100) i;} . "\n");
$node->command_ok(['pgbench', '-n', '-C', '-c', 8, '-j', 4, '-t', 10, '-f', $script, 'postgres'], '80 sessions');
is(sql(q{SELECT count(*), min(ok), max(ok) FROM freshcrm.conditional_stats WHERE scope LIKE '%"n"%'}), '10|800|800', 'none is lost');

# On a standby, which has memory of its own.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', qq{SELECT status FROM freshcrm.conditional_get('live_hot', '{"owner": "ann"}', '$etag')}), '304', 'a standby answers 304 to the tag of the primary');
is($standby->safe_psql('postgres', 'SELECT projection, not_modified FROM freshcrm.conditional_stats'), 'live_hot|1', 'and counts');
$standby->stop('immediate');

# More scopes than counters.
my $before = sql('SELECT count(*) FROM freshcrm.conditional_stats');
sql(qq{SELECT freshcrm.count_response('other_hot', jsonb_build_object('i', i), 304) FROM generate_series(1, $most) i});
is(sql('SELECT count(*) FROM freshcrm.conditional_stats WHERE projection IS NOT NULL'), $most, 'counters are bounded');
is(sql('SELECT not_modified, note FROM freshcrm.conditional_stats WHERE projection IS NULL'),
    "$before|There are more projections and scopes than counters: these are all others, of all databases.", 'what is left over is counted together');
is(stats(q{scope LIKE '%"a"%'}), 'live_hot|{"a": 2, "b": 1}|1|1|0|0.5000', 'the others go on');
# Another database, and counters of what is gone.
sql('CREATE DATABASE more');
sql($schema, 'more');
sql(q{SELECT freshcrm.drop_projection('other_hot')});
sql(q{SELECT freshcrm.count_response('live_hot', '{}', 412)}, 'more');
is(stats('projection IS NOT NULL', 'more'), '', 'are given back only where their database is known');
sql(q{SELECT freshcrm.count_response('live_hot', '{"last": 1}', 412)});
is(stats(q{scope LIKE '%last%'}), 'live_hot|{"last": 1}|0|0|1|', 'those of a dropped projection are given to others');
sql(q{SELECT freshcrm.count_response('live_hot', '{}', 412)}, 'more');
is(stats('projection IS NOT NULL', 'more'), 'live_hot|{}|0|0|1|', 'also of other databases, which see their own alone');
is(sql(q{SELECT count(*) FROM freshcrm.conditional_stats WHERE projection = 'live_hot'::regclass AND scope = '{}'}), 0, 'as this one does');

# Who may look.
sql('CREATE ROLE monitor IN ROLE pg_monitor; CREATE ROLE nobody');
cmp_ok(sql('SET ROLE monitor; SELECT count(*) FROM freshcrm.conditional_stats'), '>', 0, 'pg_monitor may look');
($status, $out, $err) = $node->psql('postgres', 'SET ROLE nobody; SELECT count(*) FROM freshcrm.conditional_stats');
like($err, qr/permission denied/, 'others may not: scopes name people');

$node->restart;
is(stats(), '', 'from nothing again');
$node->stop;
done_testing();
