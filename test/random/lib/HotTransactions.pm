# Random transactions over the tables of HotSchema.
#
# A transaction is { begin, steps, end }: a step is { sql, savepoint }, where `savepoint` is what to
# roll back to when the step fails; without one the transaction is rolled back.
package HotTransactions;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use HotSchema;
our @EXPORT = qw(hot_transaction);

sub value { my ($table, $column) = @_; return $TABLES{$table}{columns}{$column}[1]->(); }
sub type { my ($table, $column) = @_; return $TABLES{$table}{columns}{$column}[0]; }
sub role { my ($table, $column) = @_; return $TABLES{$table}{columns}{$column}[2] // 'plain'; }
sub columns { my ($table, @roles) = @_; my %roles = map { $_ => 1 } @roles; return grep { !@roles || $roles{ role($table, $_) } } sort keys %{ $TABLES{$table}{columns} }; }
sub key { return @{ $TABLES{ $_[0] }{key} }; }

# Which rows: mostly one or two by the key, else those of one link, else by a plain column.
sub where
{
    my ($table, $alias) = @_;
    my ($key) = key($table);
    my @links = columns($table, 'link');
    my $column = chance(0.75) || !@links ? $key : pick(@links);
    my $values = join ', ', map { value($table, $column) } 1 .. 1 + chance(0.4);
    return "$alias.$column IN ($values)";
}

sub set_list
{
    my ($table, $alias) = @_;
    my @of = chance(0.55) ? columns($table, 'link') : columns($table, 'plain');
    @of = columns($table, 'link', 'plain') unless @of;
    # The key itself, rarely; of some tables it is all there is.
    @of = columns($table, 'key') if !@of || chance(0.06);
    return join ', ', map { "$_ = " . value($table, $_) } some(1 + chance(0.25), @of);
}

sub rows
{
    my ($table, $count) = @_;
    my @columns = columns($table);
    my %rows;
    for (1 .. $count)
    {
        my %row = map { $_ => value($table, $_) } @columns;
        $rows{ join ',', map { $row{$_} } key($table) } = '(' . join(', ', map { $row{$_} } @columns) . ')';
    }
    return (join(', ', @columns), join(', ', map { $rows{$_} } sort keys %rows));
}

sub on_conflict
{
    my ($table) = @_;
    my ($set) = some(1, columns($table, 'link', 'plain'));
    return ' ON CONFLICT DO NOTHING' if !$set || chance(0.3);
    return sprintf ' ON CONFLICT (%s) DO UPDATE SET %s = excluded.%2$s', join(', ', key($table)), $set;
}

sub insert
{
    my ($table) = @_;
    my ($columns, $rows) = rows($table, 1 + (chance(0.3) ? roll(4) : 0));
    return "INSERT INTO $table AS x ($columns) VALUES $rows" . (chance(0.85) ? on_conflict($table) : '');
}

sub insert_select
{
    my ($table) = @_;
    my @columns = columns($table);
    my $from = pick(@TABLE_NAMES);
    my $items = join ', ', map {
        my $column = $_;
        # A NULL is no key.
        my @roles = role($table, $column) eq 'key' ? 'key' : qw(key link);
        my ($same) = some(1, grep { type($from, $_) eq type($table, $column) } columns($from, @roles));
        '(' . ($same && chance(0.5) ? "s.$same" : value($table, $column)) . ')::' . type($table, $column)
    } @columns;
    my $key = join ', ', key($table);
    return sprintf 'INSERT INTO %s AS x (%s) SELECT DISTINCT ON (%s) * FROM (SELECT %s FROM %s AS s WHERE %s) AS s (%2$s) ORDER BY %3$s, s%s', $table,
        join(', ', @columns), $key, $items, $from, where($from, 's'), on_conflict($table);
}

sub update { my ($table) = @_; return sprintf 'UPDATE %s AS x SET %s WHERE %s', $table, set_list($table, 'x'), where($table, 'x'); }
sub delete_rows { my ($table) = @_; return sprintf 'DELETE FROM %s AS x WHERE %s', $table, where($table, 'x'); }

sub merge
{
    my ($table) = @_;
    my ($columns, $rows) = rows($table, 1 + roll(3));
    my @columns = columns($table);
    my $source = sprintf '(SELECT %s FROM (VALUES %s) AS v (%s))', join(', ', map { "${_}::" . type($table, $_) . " AS $_" } @columns), $rows, $columns;
    my @set = columns($table, 'link', 'plain');
    my @when;
    push @when, sprintf 'WHEN MATCHED AND %s THEN DELETE', where($table, 'x') if chance(0.3);
    push @when, sprintf 'WHEN MATCHED THEN UPDATE SET %s = s.%1$s', pick(@set) if @set;
    push @when, "WHEN NOT MATCHED THEN INSERT ($columns) VALUES (" . join(', ', map { "s.$_" } @columns) . ')';
    return sprintf 'MERGE INTO %s AS x USING %s AS s ON %s %s', $table, $source, join(' AND ', map { "x.$_ = s.$_" } key($table)), join ' ', @when;
}

# One statement that writes two tables.
sub writable_cte
{
    my ($first, $second) = some(2, grep { $_ ne 'events' } @TABLE_NAMES);
    my $write = sub { pick(\&insert, \&update, \&update, \&delete_rows)->($_[0]) };
    return sprintf 'WITH w AS (%s RETURNING 1) %s', $write->($first), $write->($second);
}

# A partition by its own name.
sub partition { return sprintf 'UPDATE events_%d AS x SET %s WHERE %s', 1 + roll(3), pick('n = n % 4 + 1', 'lead_id = ' . value('events', 'lead_id')), where('events', 'x'); }

sub refresh { return 'REFRESH MATERIALIZED VIEW ' . (chance(0.8) ? 'CONCURRENTLY ' : '') . pick(qw(known busy)); }

sub truncate_table { return 'TRUNCATE ' . pick(qw(tags events notes)); }

my %makers = (
    insert => \&insert, insert_select => \&insert_select, update => \&update, delete => \&delete_rows, merge => \&merge,
    cte => \&writable_cte, partition => \&partition, truncate => \&truncate_table,
    refresh => \&refresh);

sub statement
{
    my $maker = weighted(insert => 26, insert_select => 5, update => 38, delete => 9, merge => 7, cte => 8, partition => 3, truncate => 0.25, refresh => 5);
    return $makers{$maker}->(weighted(regions => 2, customers => 4, leads => 5, tags => 2, notes => 3, events => 2));
}

# What a retry loop inside PL/pgSQL would catch; nothing that would be a finding.
sub exception_block
{
    my $fails = pick('', '', q{RAISE EXCEPTION 'taken back';}, 'RAISE unique_violation;');
    return sprintf 'DO $do$ BEGIN %s; BEGIN %s; %s EXCEPTION WHEN raise_exception OR unique_violation OR foreign_key_violation '
        . 'OR serialization_failure OR deadlock_detected OR lock_not_available THEN %s; END; %s; END $do$',
        chance(0.5) ? statement() : 'NULL', statement(), $fails, chance(0.5) ? statement() : 'NULL', chance(0.5) ? statement() : 'NULL';
}

# Takes back the link that the statement before has made.
sub there_and_back
{
    my $table = pick(qw(customers leads notes));
    my ($link) = some(1, columns($table, 'link'));
    my $where = where($table, 'x');
    return map { sprintf 'UPDATE %s AS x SET %s = %s WHERE %s', $table, $link, $_, $where } value($table, $link), value($table, $link);
}

# Only reads: of a projection as of a table, which above READ COMMITTED fixes the snapshot.
sub read_something { return 'SELECT count(*) FROM ' . pick(@TABLE_NAMES, map { "${_}_hot" } @{ $_[0] }); }

sub step_statements
{
    my ($views) = @_;
    my $kind = weighted(statement => 75, block => 9, back => 7, read => 9);
    return $kind eq 'block' ? exception_block() : $kind eq 'back' ? there_and_back() : $kind eq 'read' ? read_something($views) : statement();
}

# `name` is one that no other transaction has, for PREPARE TRANSACTION.
sub hot_transaction
{
    my ($views, $name) = @_;
    return { begin => undef, steps => [ { sql => statement() } ], end => undef } if chance(0.2);
    my (@steps, $open);
    push @steps, { sql => 'SET CONSTRAINTS ALL DEFERRED' } if chance(0.1);
    push @steps, { sql => 'SET LOCAL lock_timeout = ' . (20 + roll(200)) } if chance(0.05);
    my $count = 1 + roll(6);
    for my $number (1 .. $count)
    {
        if (chance(0.25))
        {
            $open = "s$number";
            push @steps, { sql => "SAVEPOINT $open" };
        }
        push @steps, map { { sql => $_, savepoint => $open } } step_statements($views);
        if ($open && chance(0.35))
        {
            push @steps, { sql => (chance(0.7) ? 'ROLLBACK TO ' : 'RELEASE ') . $open };
            $open = undef if $steps[-1]{sql} =~ /^RELEASE/;
        }
    }
    my $isolation = weighted('' => 45, ' ISOLATION LEVEL READ COMMITTED' => 5, ' ISOLATION LEVEL REPEATABLE READ' => 30, ' ISOLATION LEVEL SERIALIZABLE' => 20);
    return { begin => "BEGIN$isolation", steps => \@steps, end => weighted(COMMIT => 75, ROLLBACK => 13, "PREPARE TRANSACTION '$name'" => 12) };
}

1;
