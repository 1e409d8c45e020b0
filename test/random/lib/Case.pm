# A case: a schema, views and a workload, all from one seed; run by psql as one script.
package Case;
use strict;
use warnings;
use Exporter 'import';
use File::Temp;
use Dice;
use Schema;
use Views;
use Workload;
use Ddl;
our @EXPORT = qw(make_case run_case reproduction);

our $VIEWS = 8;
our $STATEMENTS = 80;

sub make_case
{
    my ($seed, @shapes) = @_;
    seed($seed);
    my ($tables, $ddl) = make_schema();
    my @views;
    push @views, make_view('v' . (1 + @views), $tables, \@views, @shapes) for 1 .. $VIEWS;
    $_->{project} = 1 for @views;
    # Some views have two projections.
    $_->{twin} = chance(0.12) for @views;
    # Of most cases all are immediate, so that each statement is compared.
    my $mode = weighted(immediate => 70, commit => 15, async => 15);
    return {
        seed => $seed, patch => $seed % 2 ? 'on' : 'off', mode => $mode, on_error => chance(0.12) ? 'stale' : 'abort', ddl => [ @PREAMBLE, @$ddl ], views => \@views,
        # Projections are made of empty tables, or of rows that are there.
        early => chance(0.3), initial => [ initial_rows($tables) ], steps => [ make_workload($tables, \@views, $STATEMENTS) ] };
}

# A second projection of the view.
sub twin
{
    my ($view) = @_;
    return sprintf q{SELECT freshcrm.create_projection('%s', '{%s}', '%1$s_twin');}, $view->{name}, join ',', @{ $view->{key} };
}

my $control = qr/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|RESET)\b/;

# The script, with a line "@ <what> <SQLSTATE>" after each command; `what` is
#   ddl, view <name>, project <name>, row <step> (initial), step <number> <statement number>
sub script
{
    my ($case) = @_;
    my @lines = (
        # Estimates of nested views are high enough for JIT, which costs more than it gains here.
        'SET client_min_messages = error;', q{SET statement_timeout = '30s';}, 'SET jit = off;', "SET freshcrm.patch = $case->{patch};",
        'DROP SCHEMA IF EXISTS random_case, random_moved CASCADE;', 'CREATE SCHEMA random_case;', 'SET search_path = random_case, public;');
    my $add = sub {
        my ($what, $sql) = @_;
        $sql = plain($sql);
        push @lines, $sql =~ /\n\\\.$/ ? $sql : "$sql;", "\\echo @ $what :SQLSTATE", '\if :ERROR', '\echo @! :LAST_ERROR_MESSAGE', '\endif';
    };
    my $rows = sub { $add->("row $_", $case->{initial}[$_][0]) for 0 .. $#{ $case->{initial} } };
    $add->("ddl", $_) for @{ $case->{ddl} };
    $add->("view $_->{name}", $_->{ddl}) for grep { !$_->{over} } @{ $case->{views} };
    $rows->() unless $case->{early};
    for my $view (grep { $_->{project} || $_->{over} } @{ $case->{views} })
    {
        if ($view->{over})
        {
            push @lines, "SELECT $view->{over} AS there \\gset", '\if :there';
            $add->("view $view->{name}", $view->{ddl});
        }
        push @lines, sprintf q{SELECT '@P %s ' || random.create_projection('%1$s', '{%s}', '%s', '%s');}, $view->{name}, join(',', @{ $view->{key} }), $case->{mode}, $case->{on_error}
            if $view->{project};
        push @lines, twin($view) if $view->{project} && $view->{twin};
        push @lines, '\endif' if $view->{over};
    }
    push @lines, 'SELECT random.make_check();';
    $rows->() if $case->{early};
    for my $i (0 .. $#{ $case->{steps} })
    {
        my $step = $case->{steps}[$i];
        for my $j (0 .. $#$step)
        {
            $add->("step $i $j", $step->[$j]);
            push @lines, 'SELECT random.make_check();' if is_ddl($step->[$j]);
            push @lines, 'CALL freshcrm.drain();' if $case->{mode} eq 'async' || $case->{on_error} eq 'stale';
            push @lines, q{SELECT '@D ' || d FROM random_check() AS d;}, '\echo @C :SQLSTATE', '\if :ERROR', '\echo @! :LAST_ERROR_MESSAGE', '\endif';
        }
    }
    push @lines, q{SELECT '@V ' || d FROM random.verify() AS d;}, 'SELECT pg_stat_force_next_flush();', q{SELECT '@W ' || random.writes();}, q{SELECT '@A ' || random.applied();},
        '\echo @end :SQLSTATE';
    return join "\n", @lines, '';
}

# What a write may be rejected with: constraints, values, a row
# changed again by a trigger of the same statement, what the test raises itself, and what follows in an aborted
# transaction.
my $legitimate = qr/^(23...|22...|21000|27000|P0001|25P02|3B001)$/;

sub may_fail
{
    my ($case, $step, $sqlstate) = @_;
    return $sqlstate =~ $legitimate || ($step && ddl_may_fail_with($case->{steps}[ $step->[0] ][ $step->[1] ], $sqlstate));
}

# Runs the case. Returns
#   accepted   names of views        refused   name → SQLSTATE and reason
#   statements, compared, writes (rows written in the tables of projections), rejected (SQLSTATE → count)
#   applied    how many keys were patched, recomputed narrowly, and as whole rows
#   failure    undef or { kind, view, step, text }: the first thing that is wrong
sub run_case
{
    my ($case) = @_;
    my $script = File::Temp->new;
    print {$script} script($case);
    close $script;
    my $errors = File::Temp->new;
    open my $psql, '-|', "psql -X -q -At -f $script 2> $errors" or die "psql: $!";
    my %result = (accepted => [], refused => {}, statements => 0, compared => 0, writes => 0, rejected => {});
    my %sure = map { $_->{name} => $_->{sure} } @{ $case->{views} };
    my ($what, $sqlstate, $step) = ('start', '00000');
    my $fail = sub {
        my ($kind, $view, $text) = @_;
        $result{failure} //= { kind => $kind, view => $view, step => $step, text => $text };
    };
    while (my $line = <$psql>)
    {
        chomp $line;
        if ($line =~ /^\@ (.*) (\S{5})$/)
        {
            ($what, $sqlstate) = ($1, $2);
            $step = [$1, $2] if $what =~ /^step (\d+) (\d+)/;
            next if $what !~ /^step/;
            next if $step && $case->{steps}[ $step->[0] ][ $step->[1] ] =~ $control;
            ++$result{statements} if $sqlstate ne '25P02';
            ++$result{rejected}{$sqlstate} if $sqlstate !~ /^(00000|25P02)$/;
        }
        elsif ($line =~ /^\@! (.*)/)
        {
            my $message = $1;
            if ($what =~ /^(ddl|view)/)
            {
                $fail->('generator', $what =~ s/view //r, $message);
            }
            elsif ($what eq 'comparison' ? $sqlstate ne '25P02' : !may_fail($case, $step, $sqlstate) && $message !~ /^cannot truncate a table referenced/)
            {
                $fail->('error', $sqlstate, "$what: $sqlstate $message");
            }
            # Constraints of a projection's table are met by whoever maintains it.
            elsif ($message =~ /"v\d+_hot/ && $message !~ /does not exist|already exists/)
            {
                $fail->('error', $sqlstate, "$what: $sqlstate $message");
            }
            # A view whose key is unique by construction must not reject a write.
            elsif ($message =~ /view \S*?(v\d+) returns more than one row|of view \S*?(v\d+) is NULL/ && $sure{ $1 // $2 })
            {
                $fail->('false rejection', $1 // $2, $message);
            }
        }
        elsif ($line =~ /^\@P (\S+) (\S+)(.*)/)
        {
            my ($view, $state, $reason) = ($1, $2, $3);
            if ($state eq 'ok') { push @{ $result{accepted} }, $view; next; }
            $result{refused}{$view} = "$state$reason";
            $fail->('error', $view, "create_projection: $state$reason") unless $state eq '0A000' || (!$sure{$view} && $state =~ /^(21000|23502)$/);
        }
        elsif ($line =~ /^\@D \S*?(v\d+)$/) { $fail->('difference', $1, "view $1 and its table differ"); }
        elsif ($line =~ /^\@V \S*?(v\d+)$/) { $fail->('verify', $1, 'verify_projection() finds differences that a comparison does not'); }
        elsif ($line =~ /^\@C (\S+)/)
        {
            my $state = $1;
            ++$result{compared} if $state eq '00000';
            ($what, $sqlstate) = ('comparison', $state);
        }
        elsif ($line =~ /^\@W (\d+)/) { $result{writes} = $1; }
        elsif ($line =~ /^\@A (\d+) (\d+) (\d+)/) { @{ $result{applied} }{qw(patched narrow whole)} = ($1, $2, $3); }
        elsif ($line =~ /^\@end/) { $result{ended} = 1; }
    }
    close $psql;
    if (!$result{ended})
    {
        seek $errors, 0, 0;
        my @said = <$errors>;
        $fail->('crash', $what, "the session ended after $what: " . join ' ', map { s/\s+$//r } @said[ -3 .. -1 ]);
    }
    return \%result;
}

# A script for psql that shows the failure by itself.
sub reproduction
{
    my ($case, $failure) = @_;
    my @lines = (
        'CREATE EXTENSION IF NOT EXISTS freshcrm;', 'DROP SCHEMA IF EXISTS random_case CASCADE;', 'CREATE SCHEMA random_case;',
        'SET search_path = random_case, public;', "SET freshcrm.patch = $case->{patch};");
    my $add = sub { my $sql = plain($_[0]); push @lines, $sql =~ /\n\\\.$/ ? $sql : "$sql;"; };
    my @rows = map { $_->[0] } @{ $case->{initial} };
    $add->($_) for @{ $case->{ddl} }, map { $_->{ddl} } grep { !$_->{over} } @{ $case->{views} };
    if (!$case->{early}) { $add->($_) for @rows; }
    for my $view (@{ $case->{views} })
    {
        $add->($view->{ddl}) if $view->{over};
        $add->(sprintf q{SELECT freshcrm.create_projection('%s', '{%s}', mode => '%s', on_error => '%s')}, $view->{name}, join(',', @{ $view->{key} }),
            $case->{mode}, $case->{on_error}) if $view->{project};
        push @lines, twin($view) if $view->{project} && $view->{twin};
    }
    if ($case->{early}) { $add->($_) for @rows; }
    $add->($_) for map { @$_ } @{ $case->{steps} };
    my ($view) = grep { $_->{name} eq ($failure->{view} // '') } @{ $case->{views} };
    if ($view)
    {
        my $columns = join ', ', map { $_->{name} } @{ $view->{columns} };
        push @lines, "SELECT * FROM freshcrm.verify_projection('$view->{name}_hot');", "SELECT * FROM $view->{name};", "TABLE $view->{name}_hot;";
    }
    return join "\n", @lines, '';
}

1;
