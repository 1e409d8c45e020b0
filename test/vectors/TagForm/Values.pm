# The bytes of values of base types, from their text.
package TagForm::Values;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(value_bytes);

my $MAX32 = 0x7fffffff;
my $MAX64 = ~0 >> 1;
my $DAY = 86_400_000_000;    # µs

sub i16 { return pack 's>', $_[0]; }
sub i32 { return pack 'l>', $_[0]; }
sub i64 { return pack 'q>', $_[0]; }
sub u32 { return pack 'N', $_[0]; }
sub float8 { return lc $_[0] eq 'nan' ? pack('H*', '7ff8000000000000') : pack('d>', number($_[0])); }
sub float4 { return lc $_[0] eq 'nan' ? pack('H*', '7fc00000') : pack('f>', number($_[0])); }
sub number { my ($text) = @_; return $text =~ /^(-?)inf/i ? "${1}inf" + 0 : $text eq '-0' ? -0.0 : $text + 0; }

# Of the Gregorian calendar, before its time too, since 2000-01-01.
sub days
{
    my ($year, $month, $day) = @_;
    my $y = $month > 2 ? $year : $year - 1;    # years begin in March
    my $m = ($month + 9) % 12;
    use integer;
    my $era = ($y >= 0 ? $y : $y - 399) / 400;
    my $of_era = $y - 400 * $era;
    my $days = $era * 146097 + $of_era * 365 + $of_era / 4 - $of_era / 100 + (153 * $m + 2) / 5 + $day - 1;
    return $days - 730425;
}

sub date_days
{
    my ($text) = @_;
    return $1 ? -$MAX32 - 1 : $MAX32 if $text =~ /^(-?)infinity$/;
    my ($y, $m, $d) = $text =~ /^(\d+)-(\d\d)-(\d\d)/ or die "not a date: $text";
    return days($text =~ / BC$/ ? 1 - $y : $y, $m, $d);
}

sub time_us
{
    my ($text) = @_;
    my ($h, $m, $s, $fraction) = $text =~ /(\d+):(\d\d)(?::(\d\d)(?:\.(\d+))?)?/ or die "not a time: $text";
    return (($h * 60 + $m) * 60 + ($s // 0)) * 1_000_000 + substr(($fraction // '') . '000000', 0, 6);
}

# Seconds east of UTC.
sub zone
{
    my ($text) = @_;
    my ($sign, $h, $m, $s) = $text =~ /:\d\d[\d.]*([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?/ or die "no zone: $text";
    return ($sign eq '-' ? -1 : 1) * (($h * 60 + ($m // 0)) * 60 + ($s // 0));
}

sub timestamp_us
{
    my ($text, $zoned) = @_;
    return $1 ? -$MAX64 - 1 : $MAX64 if $text =~ /^(-?)infinity$/;
    my $us = date_days($text) * $DAY + time_us($text =~ s/^\S+ //r);
    return $zoned ? $us - zone($text) * 1_000_000 : $us;
}

sub interval
{
    my ($text) = @_;
    my %of;
    $of{$2} = $1 while $text =~ /([-+]?\d+) (year|mon|day)s?/g;
    my ($sign, $time) = $text =~ /([-+]?)(\d+:\d\d\S*)/;
    my $us = defined $time ? time_us($time) * ($sign eq '-' ? -1 : 1) : 0;
    return i64($us) . i32($of{day} // 0) . i32(12 * ($of{year} // 0) + ($of{mon} // 0));
}

sub numeric
{
    my ($text) = @_;
    my %special = (nan => 'c0000000', infinity => 'd0000020', '-infinity' => 'f0000020');
    return pack 'H*', "00000000$special{lc $text}" if $special{lc $text};
    my ($sign, $whole, $fraction) = $text =~ /^(-?)(\d*)(?:\.(\d*))?$/ or die "not a number: $text";
    $fraction //= '';
    my $scale = length $fraction;
    $whole = '0' x (-length($whole) % 4) . $whole;
    $fraction .= '0' x (-$scale % 4);
    my @digits = "$whole$fraction" =~ /\d{4}/g;
    my $weight = length($whole) / 4 - 1;
    while (@digits && $digits[0] == 0) { shift @digits; $weight--; }
    pop @digits while @digits && $digits[-1] == 0;
    ($weight, $sign) = (0, '') unless @digits;
    return pack('n', scalar @digits) . i16($weight) . pack('n*', $sign ? 0x4000 : 0, $scale, @digits);
}

sub network
{
    my ($text, $is_cidr) = @_;
    my ($address, $bits) = split m{/}, $text;
    my @bytes;
    if ($address !~ /:/) { @bytes = split /\./, $address; }
    else
    {
        my ($before, $after) = map { [map { (hex($_) >> 8, hex($_) & 255) } split /:/] } split(/::/, $address, 2), '';
        @bytes = (@$before, (0) x ($address =~ /::/ ? 16 - @$before - @$after : 0), @$after);
    }
    return pack 'C*', @bytes == 4 ? 2 : 3, $bits // 8 * @bytes, $is_cidr, scalar @bytes, @bytes;
}

sub points { my ($text) = @_; return map { float8($_) } $text =~ /(-?[\d.]+)/g; }
sub count_of { my ($text) = @_; return scalar(() = $text =~ /\([-\d.]+,/g); }

sub box
{
    my @x = sort { $b <=> $a } ($_[0] =~ /\(([-\d.]+),/g);
    my @y = sort { $b <=> $a } ($_[0] =~ /,([-\d.]+)\)/g);
    return join '', map { float8($_) } $x[0], $y[0], $x[1], $y[1];
}

sub tsvector
{
    my ($text) = @_;
    my %weight = (A => 3, B => 2, C => 1, D => 0, '' => 0);
    my %positions;
    while ($text =~ /'((?:[^']|'')*)'(?::([\dA-D,]+))?/g)
    {
        my ($lexeme, $list) = ($1 =~ s/''/'/gr, $2 // '');
        $positions{$lexeme} = join '', map { /(\d+)([A-D]?)/; pack 'n', $1 | $weight{$2} << 14 }
            split /,/, $list;
    }
    my @lexemes = sort keys %positions;
    return u32(scalar @lexemes) . join '', map { "$_\0" . pack('n', length($positions{$_}) / 2) . $positions{$_} } @lexemes;
}

# The text of jsonb: keys in order of length, then of bytes, the last of equal ones alone.
sub json
{
    my ($text) = @_;
    $$text =~ /\G\s+/gc;
    if ($$text =~ /\G\{/gc)
    {
        my %value;
        until ($$text =~ /\G\s*\}/gc)
        {
            $$text =~ /\G\s*,\s*/gc;
            my $key = json($text);
            $$text =~ /\G\s*:/gc or die "not JSON: $$text";
            $value{$key} = json($text);
        }
        my @keys = sort { length $a <=> length $b || $a cmp $b } keys %value;
        return '{' . join(', ', map { "$_: $value{$_}" } @keys) . '}';
    }
    if ($$text =~ /\G\[/gc)
    {
        my @values;
        until ($$text =~ /\G\s*\]/gc) { $$text =~ /\G\s*,/gc; push @values, json($text); }
        return '[' . join(', ', @values) . ']';
    }
    return $1 if $$text =~ /\G("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)/gc;
    die "not JSON: $$text";
}

my $text = sub { return $_[0]; };
my $hex = sub { return pack 'H*', $_[0] =~ s/[^0-9a-f]//gr; };
my %bytes = (
    (map { $_ => $text } qw(text varchar bpchar name json citext char mood xml)),
    (map { $_ => $hex } qw(uuid macaddr macaddr8)),
    bytea => sub { return pack 'H*', substr $_[0], 2; },
    bool => sub { return $_[0] =~ /^t/ ? "\1" : "\0"; },
    int2 => \&i16,
    int4 => \&i32,
    int8 => \&i64,
    oid => \&u32,
    float4 => \&float4,
    float8 => \&float8,
    numeric => \&numeric,
    money => sub { return i64($_[0] =~ s/[^-\d]//gr); },
    date => sub { return i32(date_days($_[0])); },
    time => sub { return i64(time_us($_[0])); },
    timetz => sub { return i64(time_us($_[0])) . i32(-zone($_[0])); },
    timestamp => sub { return i64(timestamp_us($_[0], 0)); },
    timestamptz => sub { return i64(timestamp_us($_[0], 1)); },
    interval => \&interval,
    inet => sub { return network($_[0], 0); },
    cidr => sub { return network($_[0], 1); },
    bit => sub { return u32(length $_[0]) . pack 'B*', $_[0]; },
    varbit => sub { return u32(length $_[0]) . pack 'B*', $_[0]; },
    jsonb => sub { my ($text) = @_; return "\1" . json(\$text); },
    jsonpath => sub { return "\1$_[0]"; },
    pg_lsn => sub { return pack 'NN', map { hex } split m{/}, $_[0]; },
    tid => sub { return pack 'Nn', $_[0] =~ /\d+/g; },
    (map { $_ => sub { return join '', points($_[0]); } } qw(point lseg line circle)),
    box => \&box,
    path => sub { return chr($_[0] =~ /^\(/) . u32(count_of($_[0])) . join '', points($_[0]); },
    polygon => sub { return u32(count_of($_[0])) . join '', points($_[0]); },
    tsvector => \&tsvector,
    regclass => $text);

sub value_bytes
{
    my ($type, $value) = @_;
    my $bytes = $bytes{$type} or die "no form of type $type";
    return $bytes->($value);
}

1;
