# Entity tags, computed from the text of values by the written specification (src/etag/README.md) and by
# nothing else: neither code of freshcrm nor send functions of a server.
package TagForm;

use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex);
use Encode qw(encode_utf8);
use Exporter 'import';
use FindBin;
use lib "$FindBin::Bin/../vectors";
use TagForm::Aes qw(aes256_counter);
use TagForm::Values qw(value_bytes);

our @EXPORT_OK = qw(etag row_etag etag_agg etag_set);

# The types of vectors.sql. Everything else is a base type.
my %composites = (pair => ['int4', 'text'], lead => [qw(uuid text numeric timestamptz bool mood)]);
my %domains = (email => 'text', scores => 'int4[]');
my %ranges = (int4range => 'int4', int8range => 'int8', numrange => 'numeric', daterange => 'date',
    tsrange => 'timestamp', tstzrange => 'timestamptz', textrange => 'text');
my %multiranges = (map { (s/range$/multirange/r => $_) } keys %ranges);
my %next = (int4range => 1, int8range => 1, daterange => 1);    # those that have a canonical form

sub u32 { return pack 'N', $_[0]; }
sub u64 { return pack 'Q>', $_[0]; }
sub name_of { my ($type) = @_; return u32(length $type) . $type; }
sub value_node { my ($type, $bytes) = @_; return "\1" . name_of($type) . u64(length $bytes) . $bytes; }
sub composed_node
{
    my ($type, $shape, @parts) = @_;
    return "\2" . name_of($type) . u32(length $shape) . $shape . u32(scalar @parts) . join('', @parts);
}

sub base_of
{
    my ($type) = @_;
    return base_of($1) . '[]' if $type =~ /^(.*)\[\]$/;
    return exists $domains{$type} ? base_of($domains{$type}) : $type;
}

# The node of a value: its text as PostgreSQL reads it, or undef for NULL.
sub node
{
    my ($type, $text) = @_;
    $type = base_of($type);
    return "\0" . name_of(exists $composites{$type} ? 'record' : $type) unless defined $text;
    return array_node($type, $text) if $type =~ /\[\]$/;
    return composed_node('record', '', columns($type, $text)) if exists $composites{$type};
    return range_node($type, $text) if exists $ranges{$type};
    return multirange_node($type, $text) if exists $multiranges{$type};
    return value_node($type, value_bytes($type, $text));
}

# One element of a list in text form, from where $$text stands: quoted or up to one of $ends.
sub item
{
    my ($text, $ends) = @_;
    my ($value, $quoted) = ('', 0);
    while (1)
    {
        if ($$text =~ /\G"((?:[^"\\]|\\.|"")*)"/gcs)
        {
            $quoted = 1;
            $value .= $1 =~ s/\\(.)|""/defined $1 ? $1 : '"'/gser;
        }
        elsif ($$text =~ /\G([^"\\$ends]+)/gc) { $value .= $1; }
        else { return ($value, $quoted); }
    }
}

sub columns
{
    my ($type, $text) = @_;
    my @nodes;
    $text =~ /\G\(/gc or die "not a row: $text";
    for my $column (@{$composites{$type}})
    {
        my ($value, $quoted) = item(\$text, ',)');
        push @nodes, node($column, $quoted || length $value ? $value : undef);
        $text =~ /\G[,)]/gc or die "not a row: $text";
    }
    return @nodes;
}

# Elements in order; counts[depth] is the length of each dimension.
sub elements
{
    my ($text, $counts, $depth) = @_;
    my ($n, @found) = (0);
    $$text =~ /\G\{/gc or die "not an array: $$text";
    until ($$text =~ /\G\}/gc)
    {
        $$text =~ /\G,/gc;
        if ($$text =~ /\G(?=\{)/gc) { push @found, elements($text, $counts, $depth + 1); }
        else
        {
            my ($value, $quoted) = item($text, ',}');
            push @found, !$quoted && $value eq 'NULL' ? undef : $value;
        }
        $n++;
    }
    $counts->[$depth] = $n;
    return @found;
}

sub array_elements
{
    my ($text) = @_;
    my @bounds = $text =~ s/^((?:\[-?\d+:-?\d+\])+)=// ? $1 =~ /\[(-?\d+):/g : ();
    my @counts;
    my @found = elements(\$text, \@counts, 0);
    @counts = () unless @found;
    return ([map { [$counts[$_], $bounds[$_] // 1] } 0 .. $#counts], @found);
}

sub array_node
{
    my ($type, $text) = @_;
    my ($dimensions, @found) = array_elements($text);
    my $shape = u32(scalar @$dimensions) . join('', map { pack 'Nl>', @$_ } @$dimensions);
    my $element = $type =~ s/\[\]$//r;
    # The name of an element that is a row is that of any row.
    my $name = exists $composites{$element} ? 'record[]' : $type;
    return composed_node($name, $shape, map { node($element, $_) } @found);
}

sub range_node
{
    my ($type, $text) = @_;
    return composed_node($type, "\1") if $text eq 'empty';
    my ($lower, $upper, @quoted);
    $text =~ /\G([\[(])/gc or die "not a range: $text";
    my $flags = $1 eq '[' ? 2 : 0;
    ($lower, $quoted[0]) = item(\$text, ',');
    $text =~ /\G,/gc or die "not a range: $text";
    ($upper, $quoted[1]) = item(\$text, '\])');
    $text =~ /\G([\])])/gc or die "not a range: $text";
    $flags |= 4 if $1 eq ']';
    my ($open_below, $open_above) = map { !length $_->[0] && !$_->[1] } [$lower, $quoted[0]], [$upper, $quoted[1]];
    $flags = $flags & ~2 | 8 if $open_below;
    $flags = $flags & ~4 | 16 if $open_above;
    my $subtype = $ranges{$type};
    my @bounds = map { value_bytes($subtype, $_) } ($open_below ? () : $lower), ($open_above ? () : $upper);
    if ($next{$type})
    {
        my ($format, $size) = $subtype eq 'int8' ? ('q>', 8) : ('l>', 4);
        my $bound = sub { my ($at) = @_; $bounds[$at] = pack $format, 1 + unpack $format, $bounds[$at]; };
        if (!$open_below && !($flags & 2)) { $bound->(0); $flags |= 2; }
        if (!$open_above && $flags & 4) { $bound->($#bounds); $flags &= ~4; }
        return composed_node($type, "\1") if @bounds == 2 && $bounds[0] eq $bounds[1];
    }
    return composed_node($type, chr $flags, map { value_node($subtype, $_) } @bounds);
}

sub multirange_node
{
    my ($type, $text) = @_;
    my @parts = $text =~ /([\[(][^\])]*[\])])/g;
    return composed_node($type, '', map { range_node($multiranges{$type}, $_) } @parts);
}

sub row_form { my (@nodes) = @_; return "\1" . u32(scalar @nodes) . join('', @nodes); }
sub row_digest
{
    my ($type, $text) = @_;
    return sha256(defined $text ? row_form(columns($type, $text)) : "\0");
}

# etag() of one value, row_etag() of a row.
sub etag { my ($type, $text) = @_; return sha256_hex(row_form(node($type, $text))); }
sub row_etag { my ($type, $text) = @_; return unpack 'H*', row_digest($type, $text); }

# Of the rows of an array, in its order and in any.
sub etag_agg
{
    my ($type, $text) = @_;
    my (undef, @rows) = array_elements($text);
    return sha256_hex("\2", (map { row_digest($type =~ s/\[\]$//r, $_) } @rows), u64(scalar @rows));
}

sub etag_set
{
    my ($type, $text) = @_;
    my (undef, @rows) = array_elements($text);
    my @lanes = (0) x 1024;
    for my $row (@rows)
    {
        my @add = unpack 'n*', aes256_counter(row_digest($type =~ s/\[\]$//r, $row), 128);
        $lanes[$_] = ($lanes[$_] + $add[$_]) % 65536 for 0 .. 1023;
    }
    return sha256_hex("\3", u64(scalar @rows), pack 'n*', @lanes);
}

1;
