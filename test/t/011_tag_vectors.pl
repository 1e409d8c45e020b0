# Entity tags of values of every family of types: what freshcrm computes is what the vectors say, and what
# an independent implementation of the specification (src/etag/README.md) computes from the text of the values,
# for the vectors and for random values; in sessions of any settings and databases of other encodings.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../vectors";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TagForm qw(etag row_etag etag_agg etag_set);
use Test::More;

my $vectors = "$FindBin::Bin/../vectors";
my @vectors = map { chomp; [split /\t/, $_, -1] } grep { !/^#/ } split /^/, slurp_file("$vectors/tags.tsv");
my %independent = (etag => \&etag, row_etag => \&row_etag, etag_agg => \&etag_agg, etag_set => \&etag_set);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;

# The query for the tag of a vector.
sub tag_query
{
    my ($function, $type, $text) = @_;
    my $literal = $text eq '\N' ? 'NULL' : "'" . $text =~ s/'/''/gr . "'";
    my ($name, $array) = $type =~ /^(.*?)((?:\[\])?)$/;
    my $value = qq{$literal\::"$name"$array};
    return "SELECT freshcrm.$function($value)" if $function =~ /etag$/;
    return "SELECT freshcrm.$function(a[i] ORDER BY i) FROM (SELECT $value AS a) AS v, generate_subscripts(a, 1) AS i";
}

sub make_database
{
    my ($database, $encoding) = @_;
    $node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
    $node->safe_psql($database, "CREATE EXTENSION freshcrm;" . slurp_file("$vectors/vectors.sql"));
}

# The tags of all vectors, or of those that $grep leaves.
sub tags_of
{
    my ($database, $settings, @some) = @_;
    @some = @vectors unless @some;
    my $queries = join ";\n", map { tag_query(@$_[0 .. 2]) } @some;
    return split /\n/, $node->safe_psql($database, "SET client_encoding = 'UTF8'; $settings $queries");
}

make_database('vectors', 'UTF8');
cmp_ok(scalar @vectors, '>=', 60, 'vectors');
my @tags = tags_of('vectors', '');
is(scalar @tags, scalar @vectors, 'a tag each');
for my $i (0 .. $#vectors)
{
    my ($function, $type, $text, $tag) = @{$vectors[$i]};
    my $value = $text eq '\N' ? undef : $text;
    is($tags[$i], $tag, "freshcrm: $function of $type $text");
    is($independent{$function}->($type, $value), $tag, "specification: $function of $type $text");
}

for my $settings (
    "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY';",
    "SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German';",
    "SET IntervalStyle = iso_8601; SET bytea_output = escape; SET extra_float_digits = -15;",
    "SET xmlbinary = hex; SET lc_monetary = 'C.UTF-8'; SET lc_numeric = 'C.UTF-8'; SET lc_time = 'C.UTF-8';",
    "SET search_path = pg_catalog, public; SET jit = on; SET jit_above_cost = 0;",
    "SET standard_conforming_strings = on; SET array_nulls = on; SET quote_all_identifiers = on;")
{
    my @again = tags_of('vectors', $settings);
    is_deeply(\@again, \@tags, $settings);
}
# What other encodings can hold.
my @narrow = grep { $vectors[$_][2] !~ /[^\x00-\x7f]/ } 0 .. $#vectors;
for my $encoding (qw(LATIN1 SQL_ASCII EUC_JP))
{
    make_database(lc "in_$encoding", $encoding);
    my @again = tags_of(lc "in_$encoding", '', @vectors[@narrow]);
    is_deeply(\@again, [@tags[@narrow]], "in a database of encoding $encoding");
}
is(join(' ', map { tags_of('in_latin1', "SET client_encoding = UTF8;", $_) } ['etag', 'text', 'Zürich']),
    etag('text', 'Zürich'), 'letters of a database of encoding LATIN1');

# Random values, with their text as the server writes it.
my %random = (
    numeric => "round((random() - 0.5)::numeric * power(10::numeric, (random() * 40)::int), (random() * 12)::int)
        * (CASE WHEN random() < 0.5 THEN power(0.1::numeric, (random() * 20)::int) ELSE 1 END)",
    timestamptz => "timestamptz '2000-01-01 00:00+00' + (random() - 0.5) * interval '3000 years'",
    date => "date '2000-01-01' + ((random() - 0.4) * 2e6)::int",
    interval => "(random() - 0.5) * interval '900 years 11 mons 300 days' + (random() - 0.5) * interval '40 hours'",
    float8 => "(random() - 0.5) * power(10::float8, ((random() - 0.5) * 400)::int)",
    float4 => "((random() - 0.5) * power(10::float8, ((random() - 0.5) * 60)::int))::float4",
    int8 => "((random() - 0.5) * 1.8e19)::int8",
    inet => "set_masklen('10.0.0.0'::inet + (random() * 1e9)::int8, (random() * 32)::int)");
for my $type (sort keys %random)
{
    my @rows = map { [split /\t/] } split /\n/, $node->safe_psql('vectors',
        "SELECT v || E'\\t' || freshcrm.etag(v) FROM (SELECT $random{$type} AS v
         FROM generate_series(1, 500) OFFSET 0) AS r");
    my @wrong = grep { etag($type, $_->[0]) ne $_->[1] } @rows;
    is(scalar @rows, 500, "random values of $type");
    is_deeply(\@wrong, [], "all of them have the specified tag");
}

$node->stop;
done_testing();
