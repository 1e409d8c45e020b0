# Choices that a seed decides, and text with parts that the shrinker may leave out.
package Dice;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(seed roll chance pick some shuffled weighted optional plain allow allowed used may attempt
    shapes_used);

# Perl's generator is the same everywhere.
sub seed { srand($_[0]); return; }
sub roll { return int(rand($_[0])); }                     # 0 … n - 1
sub chance { return rand() < $_[0]; }
sub pick { return $_[ roll(scalar @_) ]; }

sub shuffled
{
    my @list = @_;
    for my $i (reverse 1 .. $#list)
    {
        my $j = roll($i + 1);
        @list[ $i, $j ] = @list[ $j, $i ];
    }
    return @list;
}

# some(N, LIST): up to N of them, each once.
sub some
{
    my ($count, @list) = @_;
    @list = shuffled(@list);
    return @list > $count ? @list[ 0 .. $count - 1 ] : @list;
}

# weighted(NAME => WEIGHT, …)
sub weighted
{
    my @pairs = @_;
    my $total = 0;
    $total += $pairs[ 2 * $_ + 1 ] for 0 .. @pairs / 2 - 1;
    my $point = rand($total);
    while (@pairs > 2)
    {
        $point -= $pairs[1];
        return $pairs[0] if $point < 0;
        splice @pairs, 0, 2;
    }
    return $pairs[0];
}

# A part of a statement that makes sense without it: between \x01 and \x02, which nest.
sub optional { return "\x01$_[0]\x02"; }
sub plain { return $_[0] =~ tr/\x01\x02//dr; }

# Which shapes the view under construction may have, and has. Each view is allowed a random part of
# the shapes only (swarm testing): one refused shape then spoils few views, and each shape meets the
# others in many combinations.
my (%allowed, %used);

sub allow { %allowed = map { $_ => 1 } @_; %used = (); return; }

sub allowed { return $allowed{ $_[0] }; }
sub used { $used{ $_[0] } = 1; return 1; }

# With this probability: allowed, and then used.
sub may
{
    my ($shape, $probability) = @_;
    return $allowed{$shape} && chance($probability) && used($shape);
}

# What CODE returns; when that is nothing, it has used no shape.
sub attempt
{
    my ($code) = @_;
    my %before = %used;
    my $result = $code->();
    %used = %before unless $result;
    return $result;
}

sub shapes_used { return sort keys %used; }

1;
