# A real HTTP server, client and cache (test/http): 200 with an ETag, 304 without a body, 200 with a new tag after a
# customer is renamed, and 412 for who writes over what he has not read.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = "$FindBin::Bin/../http";
# test/tools/test has npm install them, as npm may need what only who runs it has.
plan skip_all => 'its npm packages could not be installed: see test/http/package.json' unless -d "$folder/node_modules/pg";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
    CREATE EXTENSION freshcrm;
    CREATE TABLE customers (id integer PRIMARY KEY, name text);
    CREATE TABLE leads (id integer PRIMARY KEY, customer_id integer, owner text, status text);
    CREATE INDEX ON leads (customer_id);
    INSERT INTO customers VALUES (1, 'Acme'), (2, 'Byte');
    INSERT INTO leads VALUES (1, 1, 'ann', 'new'), (2, 2, 'bob', 'new');
    CREATE VIEW lead AS SELECT l.id, l.owner, l.status, c.name FROM leads l JOIN customers c ON c.id = l.customer_id;
    SELECT freshcrm.create_projection('lead', '{id}');
});

local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', NO_UPDATE_NOTIFIER => 1);
$ENV{PGUSER} //= getpwuid($<);
my ($out, $err) = run_command([ 'node', "$folder/roundtrip.mjs", $node->basedir . '/cache' ]);
my $planned = $out =~ /^1\.\.(\d+)$/m ? $1 : 0;
my $seen = 0;
for my $line (split /\n/, $out)
{
    ++$seen, ok($1 eq 'ok', $2) if $line =~ /^(ok|not ok) \d+ - (.*)/;
    diag($line) if $line =~ /^#/;
}
is($err, '', 'without errors');
is($seen, $planned || -1, 'to its end');
is($node->safe_psql('postgres', 'SELECT count(*) FROM freshcrm.verify_projection($$lead_hot$$)'), 0, 'and the projection equals its view');
$node->stop;
done_testing();
