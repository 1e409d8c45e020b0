# Makes a failing case smaller while it fails in the same way.
package Shrink;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes 'time';
use Dice;
use Case;
our @EXPORT = qw(shrink);

my ($case, $failure, $deadline);

sub fails_with
{
    my (%change) = @_;
    return 0 if time > $deadline;
    my $candidate = { %$case, %change };
    my $found = run_case($candidate)->{failure};
    return 0 unless $found && $found->{kind} eq $failure->{kind} && ($found->{view} // '') eq ($failure->{view} // '');
    $case = $candidate;
    $failure = $found;
    return 1;
}

# Leaves out parts of a list, halves first, then single members, the last ones first.
sub shrink_list
{
    my ($name) = @_;
    my $changed = 0;
    for (my $size = int(@{ $case->{$name} } / 2) || 1; $size >= 1; $size = int($size / 2))
    {
        for (my $end = @{ $case->{$name} }; $end > 0; $end -= $size)
        {
            my @list = @{ $case->{$name} };
            my $first = $end > $size ? $end - $size : 0;
            splice @list, $first, $end - $first;
            $changed = 1 if fails_with($name => \@list);
        }
    }
    return $changed;
}

# Leaves out statements of transactions.
sub shrink_steps
{
    my $changed = 0;
    for my $i (reverse 0 .. $#{ $case->{steps} })
    {
        my $step = $case->{steps}[$i];
        next if @$step < 2;
        my $with = sub { my @steps = @{ $case->{steps} }; splice @steps, $i, 1, $_[0]; return fails_with(steps => \@steps); };
        $changed = 1 if $with->([ grep { !/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)/ } @$step ]);
        for my $j (reverse 0 .. $#{ $case->{steps}[$i] })
        {
            my @less = @{ $case->{steps}[$i] };
            splice @less, $j, 1;
            $changed = 1 if @less && $with->(\@less);
        }
    }
    return $changed;
}

# Leaves out the optional parts of one text; `$try` says whether the case fails with it.
sub shrink_text
{
    my ($text, $try) = @_;
    my $changed = 0;
    for (my $start = 0; ($start = index($text, "\x01", $start)) >= 0;)
    {
        my ($depth, $end) = (0, $start);
        for (; $end < length $text; ++$end)
        {
            my $char = substr $text, $end, 1;
            $depth += $char eq "\x01" ? 1 : $char eq "\x02" ? -1 : 0;
            last if $depth == 0;
        }
        my $less = substr($text, 0, $start) . substr($text, $end + 1);
        if ($try->($less)) { $text = $less; $changed = 1; }
        else { ++$start; }
    }
    return $changed;
}

sub shrink_texts
{
    my $changed = 0;
    for my $i (0 .. $#{ $case->{views} })
    {
        $changed |= shrink_text($case->{views}[$i]{ddl}, sub {
            my @views = @{ $case->{views} };
            $views[$i] = { %{ $views[$i] }, ddl => $_[0] };
            return fails_with(views => \@views);
        });
    }
    for my $i (0 .. $#{ $case->{ddl} })
    {
        $changed |= shrink_text($case->{ddl}[$i], sub {
            my @ddl = @{ $case->{ddl} };
            $ddl[$i] = $_[0];
            return fails_with(ddl => \@ddl);
        });
    }
    for my $name (qw(steps initial))
    {
        for my $i (0 .. $#{ $case->{$name} })
        {
            for my $j (0 .. $#{ $case->{$name}[$i] })
            {
                $changed |= shrink_text($case->{$name}[$i][$j], sub {
                    my @list = map { [@$_] } @{ $case->{$name} };
                    $list[$i][$j] = $_[0];
                    return fails_with($name => \@list);
                });
            }
        }
    }
    return $changed;
}

# Returns the smaller case and its failure; takes `$seconds` at most.
sub shrink
{
    ($case, $failure, my $seconds) = @_;
    $deadline = time + $seconds;
    my $last = $failure->{step} ? $failure->{step}[0] : -1;
    fails_with(steps => [ @{ $case->{steps} }[ 0 .. $last ] ]);
    # Other views stay as views, where this one is built on them.
    my $only = sub { my ($name) = @_; return map { { %$_, project => $_->{name} eq $name } } @{ $case->{views} }; };
    fails_with(views => [ $only->($failure->{view}) ]) if grep { $_->{name} eq $failure->{view} } @{ $case->{views} };
    for (my $changed = 1; $changed;)
    {
        $changed = 0;
        $changed |= shrink_list($_) for qw(views steps initial);
        $changed |= shrink_steps();
        $changed |= shrink_list('ddl');
        $changed |= shrink_texts();
    }
    return ($case, $failure);
}

1;
