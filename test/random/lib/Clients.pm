# The processes of the concurrent test, each with a connection of its own: clients that run random
# transactions, and helpers beside them that go on until the clients are done.
#
# What a process runs goes to a log of its own, a line a statement: time, outcome, statement. What
# must not happen goes to its file of findings.
package Clients;
use strict;
use warnings;
use Exporter 'import';
use DBI;
use PostgreSQL::Test::Utils 'slurp_file';
use POSIX ();
use Time::HiRes qw(time sleep);
use Dice;
use HotSchema;
use HotTransactions;
our @EXPORT = qw(connect_to run_round close_prepared differences findings last_statements);

my $MOST_LINES = 15;  # of one client
my ($log, $findings, $connection);

sub connect_to
{
    my ($dsn, $name) = @_;
    my $end = time + 120;
    while (time < $end)
    {
        my $dbh = DBI->connect("dbi:Pg:$dsn;application_name=$name", '', '', { RaiseError => 0, PrintError => 0, PrintWarn => 0, AutoCommit => 1 });
        return $dbh if $dbh;
        sleep 0.05;    # the server may be recovering
    }
    die "no connection: $DBI::errstr\n";
}

sub finding { my ($what, @lines) = @_; print {$findings} map { s/\n/\n    /gr . "\n" } $what, map { "    $_" } @lines; return; }

# What a client must expect: serialization failures, deadlocks, lock timeouts, a lost connection, and
# violations of constraints of its own tables.
sub is_tolerated
{
    my ($state, $message) = @_;
    return 1 if $state =~ /^(40001|40P01|55P03|57P0[123]|08...|S8006)$/;
    return 1 if $state =~ /^(23505|23503)$/ && $message !~ /_hot|spare/;
    return 1 if $state eq '55006' && $message =~ /pending trigger events/;
    return 1 if $state eq '0A000' && $message =~ /cannot PREPARE a transaction that has operated on temporary objects/;  # as REFRESH does
    return 1 if $state eq '55000' && $message =~ /prepared transaction .* is busy/;    # it has only just been prepared
    # A build gives up waiting for a lock by lock_timeout. Where that passes in the moment in which the lock is granted,
    # the server takes its own signal for that of a user (ProcessInterrupts).
    return 1 if $state eq '57014' && $message =~ /maintenance of projection hot.spare_hot/;
    return is_lost($message);
}

sub is_lost { return $_[0] =~ /server closed the connection|terminating connection|no connection to the server|could not connect|could not (send|receive)|database system is|connection to server .* failed/; }

# Returns 'ok', 'failed' or 'lost' (and then there is a new connection).
sub execute
{
    my ($sql) = @_;
    my $begun = time;
    my $done = defined $connection->{dbh}->do($sql);
    my ($state, $message) = $done ? ('ok', '') : ($connection->{dbh}->state, $connection->{dbh}->errstr // '');
    printf {$log} "%.4f %.4f %s %s\n", $begun, time, $state, $sql =~ tr/\n/ /r;
    return 'ok' if $done;
    finding("error $state: $message", $sql) unless is_tolerated($state, $message);
    return 'failed' unless is_lost($message) || $state =~ /^(57P0[123]|08...|S8006)$/;
    reconnect();
    return 'lost';
}

sub reconnect { $connection->{dbh}->disconnect; return $connection->{dbh} = connect_to(@$connection{qw(dsn name)}); }

# All rows, or undef after an error.
sub query
{
    my ($sql) = @_;
    my $begun = time;
    my $rows = $connection->{dbh}->selectall_arrayref($sql);
    my ($state, $message) = $rows && !$connection->{dbh}->err ? ('ok', '') : ($connection->{dbh}->state, $connection->{dbh}->errstr // '');
    printf {$log} "%.4f %.4f %s %s\n", $begun, time, $state, $sql =~ tr/\n/ /r;
    return $rows if $state eq 'ok';
    finding("error $state: $message", $sql) unless is_tolerated($state, $message);
    reconnect() if is_lost($message);
    return;
}

sub run_transaction
{
    my ($transaction) = @_;
    my $in_block = defined $transaction->{begin};
    return if $in_block && execute($transaction->{begin}) ne 'ok';
    for my $step (@{ $transaction->{steps} })
    {
        my $outcome = execute($step->{sql});
        return if $outcome eq 'lost' || !$in_block;
        next if $outcome eq 'ok';
        next if $step->{savepoint} && execute("ROLLBACK TO $step->{savepoint}") eq 'ok';
        execute('ROLLBACK');
        return;
    }
    execute('ROLLBACK') if $in_block && execute($transaction->{end}) eq 'failed';
    return;
}

sub client
{
    my ($round, $number) = @_;
    my @transactions = map { hot_transaction($round->{views}{names}, "$round->{seed}_$round->{number}_${number}_$_") } 1 .. $round->{transactions};
    run_transaction($_) for @transactions;
    return;
}

sub close_prepared
{
    my ($dbh) = @_;
    my $names = $dbh->selectcol_arrayref(q{SELECT gid FROM pg_prepared_xacts ORDER BY prepared}) // [];
    for my $name (@$names)
    {
        $dbh->do((chance(0.7) ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$name'") or return 0;
    }
    return 1;
}

# Ends prepared transactions, each some time after it has been prepared.
sub closer
{
    my ($round) = @_;
    while (!$round->{done}->())
    {
        for my $row (@{ query('SELECT gid FROM pg_prepared_xacts') // [] })
        {
            execute((chance(0.7) ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$row->[0]'") if chance(0.4);
        }
        sleep 0.02;
    }
    return;
}

# Ends a client's backend or the worker now and then; in some rounds as by a crash, after which the server starts again.
sub disturber
{
    my ($round) = @_;
    my $kill = chance(0.2);
    while (!$round->{done}->())
    {
        sleep 0.1 + rand(0.3);
        my $of = chance(0.3) ? q{backend_type = 'freshcrm drain'} : q{application_name ~ '^client'};
        my $pids = query("SELECT pid FROM pg_stat_activity WHERE $of ORDER BY random() LIMIT 1") // [];
        my $pid = @$pids ? $pids->[0][0] : next;
        if ($kill && chance(0.15))
        {
            $kill = 0;
            kill 'KILL', $pid;
        }
        elsif (chance(0.3))
        {
            query("SELECT pg_terminate_backend($pid)");
        }
    }
    return;
}

# The rows that differ, as lines.
sub differences
{
    my ($dbh, $view) = @_;
    my ($sql) = $dbh->selectrow_array("SELECT random.difference_query('hot.$view', 'hot.${view}_hot')");
    return unless $sql;
    my $rows = $dbh->selectall_arrayref($sql) // return;
    return map { join ' | ', map { $_ // 'NULL' } @$_ } @$rows;
}

# At any time: what one snapshot sees is the view and the table of the same transactions, but in mode async.
sub checker
{
    my ($round) = @_;
    my $query = sub {
        my ($view) = @_;
        # The server may be recovering.
        my $rows;
        sleep 0.1 until $rows = query("SELECT random.difference_query('hot.$view', 'hot.${view}_hot')");
        my $differences = $rows->[0][0];
        return [ $view, "SELECT * FROM ($differences) AS d WHERE EXISTS (SELECT FROM freshcrm.projection WHERE source = 'hot.$view'::regclass AND mode <> 'async')" ];
    };
    my @queries = map { $query->($_) } sound_views($round) or return;
    while (!$round->{done}->())
    {
        my ($view, $sql) = @{ pick(@queries) };
        my $rows = query($sql) // next;
        if (@$rows)
        {
            finding(sprintf('%.4f in the middle of the load, %s differs from its table', time, $view), map { join ' | ', map { $_ // 'NULL' } @$_ } @$rows);
            return;
        }
        sleep 0.02;
    }
    return;
}

sub sound_views { my ($views) = $_[0]{views}; return grep { !$views->{may_fail}{$_} } @{ $views->{names} }; }

sub is_async
{
    my ($view) = @_;
    my ($mode) = $connection->{dbh}->selectrow_array("SELECT mode FROM freshcrm.projection WHERE source = 'hot.$view'::regclass");
    return ($mode // 'async') eq 'async';
}

# Statements that find nothing to do, since the projection is right; each with its columns that must be zero.
sub upkeep
{
    my ($view) = @_;
    my $keys = $connection->{dbh}->selectrow_array("SELECT array_to_string(key, ', ') FROM freshcrm.projection WHERE source = 'hot.$view'::regclass");
    return unless defined $keys;
    my $items = $keys =~ /,/ ? "ROW($keys)" : $keys;
    return pick(
        "SELECT inserted, updated, deleted FROM freshcrm.recompute('hot.${view}_hot', ARRAY(SELECT $items FROM hot.${view}_hot ORDER BY random() LIMIT 4))",
        "SELECT difference, key FROM freshcrm.verify_projection('hot.${view}_hot', repair => true)",
        "CALL freshcrm.rebuild_projection('hot.${view}_hot', " . (1 + roll(5)) . ')');
}

sub come_and_go
{
    for my $sql (spare_view(), q{SELECT freshcrm.drop_projection('hot.spare_hot')}, 'DROP VIEW hot.spare', 'DROP TABLE IF EXISTS hot.spare_hot')
    {
        for (1 .. 50)
        {
            last if execute($sql) eq 'ok';
            my ($there) = $connection->{dbh}->selectrow_array(q{SELECT count(*) FROM freshcrm.projection WHERE source = to_regclass('hot.spare')});
            last if $sql =~ /create_projection/ && $there;
            last if $sql =~ /drop_projection/ && !$there;
        }
    }
    return;
}

sub keeper
{
    my ($round) = @_;
    while (!$round->{done}->())
    {
        my $kind = weighted(upkeep => 60, build => 12, vacuum => 12, refresh => 8, alter => $round->{views}{mode} eq 'mixed' ? 20 : 0);
        my @sound = sound_views($round);
        my $view = pick(@sound ? @sound : @{ $round->{views}{names} });
        if ($kind eq 'upkeep')
        {
            my $sql = (@sound ? upkeep($view) : undef) // next;
            my $async = is_async($view);
            my @wrong = grep { join('', map { $_ // '' } @$_) !~ /^0+$/ } @{ query($sql) // [] };
            finding("upkeep found something to do for $view", $sql, map { join ' | ', map { $_ // 'NULL' } @$_ } @wrong) if @wrong && !$async;
        }
        elsif ($kind eq 'build') { come_and_go(); }
        elsif ($kind eq 'alter') { execute(alter_ddl($view)); }
        elsif ($kind eq 'vacuum') { execute(pick('VACUUM ', 'ANALYZE ', 'VACUUM ANALYZE ') . pick("${view}_hot", @TABLE_NAMES)); }
        else { execute('REFRESH MATERIALIZED VIEW summary'); }
        sleep 0.02;
    }
    return;
}

sub start
{
    my ($round, $name, $seed, $code) = @_;
    my $pid = fork // die "no process: $!\n";
    return $pid if $pid;
    my $status = eval {
        seed($seed);
        open $log, '>', "$round->{folder}/$name.log" or die $!;
        open $findings, '>', "$round->{folder}/$name.findings" or die $!;
        $connection = { dsn => $round->{dsn}, name => $name };
        $connection->{dbh} = connect_to($round->{dsn}, $name);
        $code->($round);
        1;
    };
    finding("the test itself failed: $@") if !$status && $findings;
    $connection->{dbh}->disconnect if $connection->{dbh};
    close $_ for grep { $_ } $log, $findings;
    # Without what the parent does at its end.
    POSIX::_exit($status ? 0 : 1);
}

# `round` has: seed, number, views, dsn, folder, clients, transactions.
sub run_round
{
    my ($round) = @_;
    my $stop = "$round->{folder}/stop";
    unlink $stop, "$stop-closer", glob("$round->{folder}/*.log $round->{folder}/*.findings");
    $round->{done} = sub { -e $stop };
    my $seed = $round->{seed} * 100_003 + $round->{number} * 1009;
    my $begin = sub { my ($name, $code) = @_; return start($round, $name, ++$seed, $code); };
    # The helpers may wait for prepared transactions: who ends these ends last.
    my $closer = $begin->('closer', sub { closer({ done => sub { -e "$stop-closer" } }) });
    my @helpers = ($begin->('disturber', \&disturber), $begin->('checker', \&checker), $begin->('keeper', \&keeper));
    my @clients = map { my $number = $_; $begin->("client$number", sub { client($round, $number) }) } 1 .. $round->{clients};
    my $bad = 0;
    my $wait = sub { for (@_) { waitpid($_, 0); $bad ||= $?; } return; };
    my $tell = sub { open my $file, '>', $_[0] or die "$_[0]: $!\n"; return; };
    $wait->(@clients);
    $tell->($stop);
    $wait->(@helpers);
    $tell->("$stop-closer");
    $wait->($closer);
    return !$bad;
}

# What the processes of a round have found, as lines.
sub findings
{
    my ($folder) = @_;
    my @lines;
    # TRUNCATE is not MVCC-safe: what waits for it with an older snapshot finds the table empty.
    my $truncated = grep { slurp_file($_) =~ /TRUNCATE/ } glob "$folder/client*.log";
    for my $name (sort glob "$folder/*.findings")
    {
        open my $file, '<', $name or next;
        chomp(my @found = <$file>);
        next if !@found || ($truncated && $found[0] =~ /^upkeep/ && $found[1] =~ /rebuild|verify/);
        push @lines, ($name =~ m{([^/]+)\.findings$})[0] . ':', @found > $MOST_LINES ? (@found[ 0 .. $MOST_LINES - 1 ], '    …') : @found;
        push @lines, last_statements($folder, [ @found[ 1 .. $#found ] ], $1) if $found[0] =~ /^([\d.]+) in the middle/;
    }
    return @lines;
}

# The last statements of each client that name one of the values of these rows, and what ended their
# transactions; with `until`, of those that began before.
sub last_statements
{
    my ($folder, $rows, $until) = @_;
    my %values = map { $_ => 1 } map { (split / \| /)[ 1, 2 ] } @$rows;
    my $values = join '|', map { quotemeta } grep { !/^(NULL)?$/ } sort keys %values;
    my @lines;
    for my $name (sort glob "$folder/*.log")
    {
        open my $file, '<', $name or next;
        my @run = grep { !$until || (split)[0] <= $until } <$file>;
        my @named = grep { /^(\S+ ){3}(BEGIN|COMMIT|ROLLBACK|PREPARE|SAVEPOINT|RELEASE)/ || (!/^(\S+ ){3}(SELECT|WITH v) / && /[ (']($values)[,)']/) } @run;
        push @lines, ($name =~ m{([^/]+)\.log$})[0] . ':', map { "  $_" } @named > $MOST_LINES ? @named[ -$MOST_LINES .. -1 ] : @named;
    }
    chomp @lines;
    return @lines;
}

1;
