# Random statements of all kinds on the tables of a schema.
#
# A workload is a list of steps, each a list of statements that belong together (a transaction).
package Workload;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Partitions;
use Schema;
use Ddl;
our @EXPORT = qw(make_workload initial_rows);

my @tables;

sub writable { return grep { !$_->{generated} } @{ $_[0]{columns} }; }

# A value for a column; a foreign key mostly refers to a row that is there, all its columns to the same.
my $offset;

sub value
{
    my ($column) = @_;
    return 'NULL' if $column->{null} && chance(0.12);
    if ($column->{parent} && chance($column->{constrained} ? 0.97 : 0.7))
    {
        return sprintf '(SELECT %s FROM %s ORDER BY %s OFFSET %d LIMIT 1)', $column->{parent_column}, $column->{parent}{name},
            join(', ', map { $_->{name} } @{ $column->{parent}{key} }), $offset;
    }
    return literal($column->{type}, $column->{key} ? $column->{composite} ? 4 : 10 : 5);
}

sub new_row { $offset = roll(5); return; }

# The rows that a statement is about.
sub where
{
    my ($table, $alias) = @_;
    my $prefix = $alias ? "$alias." : '';
    my $column = chance(0.45) ? pick(@{ $table->{key} }) : pick(@{ $table->{columns} });
    my $name = $prefix . $column->{name};
    my $literal = sub { literal($column->{type}, $column->{key} ? 10 : 5) };
    return 'true' if chance(0.04);
    return "$name IS NULL" if $column->{null} && chance(0.15);
    return sprintf '%s IN (%s)', $name, join ', ', map { $literal->() } 1 .. 4 if chance(0.4);
    return sprintf '%s = %s', $name, $literal->() if $column->{type} =~ /jsonb|\[|boolean|ci|stage|uuid/ || chance(0.35);
    return sprintf '%s %s %s', $name, pick('<', '>='), $literal->();
}

sub set_list
{
    my ($table, $alias) = @_;
    my @set;
    new_row();
    for my $column (some(1 + chance(0.3), grep { !$_->{key} || chance(0.25) } writable($table)))
    {
        my ($name, $type) = @$column{qw(name type)};
        # Not for a key, where a constant would mostly be a duplicate.
        my $new =
              $column->{key} && family($type) =~ /int|num/ && chance(0.6) ? "$alias.$name + " . (20 + roll(5))
            : family($type) =~ /^(int|num)$/ && !$column->{parent} && chance(0.25) ? "1 + ($alias.$name * 7)::integer % 6"
            :                                                                           value($column);
        push @set, "$name = $new";
    }
    return @set ? $set[0] . join '', map { optional(", $_") } @set[ 1 .. $#set ] : undef;
}

sub columns_and_rows
{
    my ($table, $count) = @_;
    my @columns = grep { $_->{key} || !$_->{null} || chance(0.8) } writable($table);
    my @rows = map { new_row(); '(' . join(', ', map { value($_) } @columns) . ')' } 1 .. $count;
    return (
        join(', ', map { $_->{name} } @columns), $rows[0] . join('', map { optional(", $_") } @rows[ 1 .. $#rows ]), @columns);
}

sub on_conflict
{
    my ($table, @columns) = @_;
    my ($set) = some(1, grep { !$_->{key} } @columns);
    return ' ON CONFLICT DO NOTHING' if chance(0.5) || !$set;
    return sprintf ' ON CONFLICT (%s) DO UPDATE SET %s = excluded.%2$s', join(', ', map { $_->{name} } @{ $table->{key} }), $set->{name};
}

sub insert_values
{
    my ($table, $count) = @_;
    my ($columns, $rows, @columns) = columns_and_rows($table, $count // 1 + roll(3));
    return sprintf 'INSERT INTO %s (%s) VALUES %s%s', $table->{name}, $columns, $rows, chance(0.6) ? on_conflict($table, @columns) : '';
}

# Rows made of the rows of another table.
sub insert_select
{
    my ($table) = @_;
    my $from = pick(@tables);
    new_row();
    my @columns = grep { $_->{key} || !$_->{null} || chance(0.7) } writable($table);
    my @items = map {
        my $column = $_;
        my ($same) = some(1, grep { $_->{type} eq $column->{type} && ($column->{null} || !$_->{null}) } @{ $from->{columns} });
        my $type = $column->{type} =~ s/ COLLATE.*//r;
        sprintf '(%s)::%s', $same && chance(0.6) ? "s.$same->{name}" : value($column), $type;
    } @columns;
    # No row twice, which DO UPDATE rejects.
    return sprintf 'INSERT INTO %s (%s) SELECT DISTINCT ON (%s) * FROM (SELECT %s FROM %s s WHERE %s) AS s (%2$s) ORDER BY %3$s, s%s',
        $table->{name}, join(', ', map { $_->{name} } @columns), join(', ', map { $_->{name} } @{ $table->{key} }), join(', ', @items),
        $from->{name}, where($from, 's'), on_conflict($table, @columns);
}

sub update
{
    my ($table) = @_;
    my $set = set_list($table, $table->{name}) // return insert_values($table);
    return sprintf 'UPDATE %s SET %s WHERE %s', $table->{name}, $set, where($table);
}

# Columns of two tables that can be compared.
sub pair
{
    my ($table, $other) = @_;
    for my $column (shuffled(@{ $table->{columns} }))
    {
        my ($same) = some(1, grep { $_->{type} eq $column->{type} && $_->{type} !~ /json|\[|bool/ } @{ $other->{columns} });
        return ($column->{name}, $same->{name}) if $same;
    }
    return;
}

sub update_from
{
    my ($table) = @_;
    my $other = pick(@tables);
    my ($to, $from) = pair($table, $other) or return update($table);
    my ($target) = some(1, grep { !$_->{key} } writable($table));
    my ($source) = some(1, grep { $_->{type} eq $target->{type} } @{ $other->{columns} });
    new_row();
    return sprintf 'UPDATE %s t SET %s = %s FROM (SELECT DISTINCT ON (%s) * FROM %s ORDER BY %4$s, %s) o WHERE o.%4$s = t.%s AND %s',
        $table->{name}, $target->{name}, $source ? "o.$source->{name}" : value($target), $from, $other->{name},
        join(', ', map { $_->{name} } @{ $other->{key} }), $to, where($table, 't');
}

sub delete_rows
{
    my ($table) = @_;
    return sprintf 'DELETE FROM %s WHERE %s', $table->{name}, where($table);
}

sub delete_using
{
    my ($table) = @_;
    my $other = pick(@tables);
    my ($to, $from) = pair($table, $other) or return delete_rows($table);
    return sprintf 'DELETE FROM %s t USING %s o WHERE o.%s = t.%s AND %s', $table->{name}, $other->{name}, $from, $to, where($other, 'o');
}

sub merge
{
    my ($table) = @_;
    my ($columns, $rows, @columns) = columns_and_rows($table, 1 + roll(3));
    my $key = join ', ', map { $_->{name} } @{ $table->{key} };
    my $set = set_list($table, 't');
    my @when;
    push @when, optional(sprintf ' WHEN MATCHED AND %s THEN DELETE', where($table, 't')) if chance(0.4);
    push @when, optional(" WHEN MATCHED THEN UPDATE SET $set") if $set && chance(0.8);
    push @when, ' WHEN NOT MATCHED THEN INSERT (' . $columns . ') VALUES (' . join(', ', map { "s.$_->{name}" } @columns) . ')'
        unless @when && chance(0.4);
    # The types of values are those of the columns.
    my @casts = map { "$_->{name}::" . ($_->{type} =~ s/ COLLATE.*//r) . " AS $_->{name}" } @columns;
    return sprintf 'MERGE INTO %s t USING (SELECT DISTINCT ON (%s) %s FROM (VALUES %s) AS v (%s) ORDER BY %2$s) s ON %s%s', $table->{name},
        join(', ', 1 .. @{ $table->{key} }), join(', ', @casts), $rows, $columns,
        join(' AND ', map { "t.$_->{name} = s.$_->{name}" } @{ $table->{key} }), join '', @when;
}

# One statement that writes several tables.
sub writable_cte
{
    my ($first, $second, $third) = some(3, @tables);
    my ($column) = some(1, grep { $_->{type} !~ /json/ } @{ $first->{columns} });
    my @with = (
        sprintf('w1 AS (%s RETURNING *)', pick(\&update, \&delete_rows, \&insert_values)->($first)),
        sprintf('w2 AS (%s RETURNING 1)', pick(\&update, \&delete_rows, \&insert_values, \&insert_select)->($second)));
    my ($to) = some(1, grep { $_->{type} eq $column->{type} } @{ $third->{columns} });
    return sprintf 'WITH %s, %s %s', @with, $to
        ? sprintf('DELETE FROM %s WHERE %s IN (SELECT %s FROM w1)', $third->{name}, $to->{name}, $column->{name})
        : update($third);
}

sub truncate_tables
{
    my ($table) = @_;
    return sprintf 'TRUNCATE %s%s', join(', ', map { $_->{name} } $table, chance(0.2) ? grep { $_ != $table } pick(@tables) : ()),
        chance(0.6) ? ' CASCADE' : '';
}

# COPY with its data; the generated values are literals of SQL, taken apart.
sub copy
{
    my ($table) = @_;
    my @columns = writable($table);
    my @lines = map {
        join("\t", map {
            my $column = $_;
            my $value = $column->{null} && chance(0.3) ? 'NULL' : literal($column->{type}, $column->{key} ? 12 : 5);
            $value eq 'NULL' ? '\\N' : $value =~ /^'(.*)'(::.*)?$/ ? $1 : $value
        } @columns) . "\n"
    } 1 .. 1 + roll(3);
    return sprintf "COPY %s (%s) FROM stdin;\n%s\\.", $table->{name}, join(', ', map { $_->{name} } @columns),
        $lines[0] . join '', map { optional($_) } @lines[ 1 .. $#lines ];
}

sub refresh
{
    my ($table) = some(1, grep { $_->{matview} } @tables) or return update($_[0]);
    return 'REFRESH MATERIALIZED VIEW ' . (chance(0.75) ? 'CONCURRENTLY ' : '') . $table->{matview};
}

my %makers = (
    insert_values => \&insert_values, insert_select => \&insert_select, update => \&update, update_from => \&update_from,
    delete => \&delete_rows, delete_using => \&delete_using, merge => \&merge, writable_cte => \&writable_cte,
    truncate => \&truncate_tables, refresh => \&refresh);
my @weights = (
    insert_values => 22, insert_select => 8, update => 30, update_from => 7, delete => 8, delete_using => 2, merge => 7,
    writable_cte => 8, truncate => 0.8, refresh => 7);

# A table, or one of its partitions.
sub target
{
    my $table = pick(@tables);
    my @leaves = leaves($table);
    return @leaves && chance(0.4) ? { %$table, name => pick(@leaves) } : $table;
}

# One statement, of any kind that can stand in PL/pgSQL.
sub statement
{
    my $table = target();
    return $makers{ weighted(@weights) }->($table);
}

# A block whose exception handler takes back what it did, or not.
sub exception_block
{
    my $fails = pick('', '', "RAISE EXCEPTION 'taken back';", 'PERFORM 1 / 0;', "RAISE unique_violation;");
    return sprintf "DO \$do\$ BEGIN %s;\nBEGIN %s; %s\nEXCEPTION WHEN OTHERS THEN %s; END;\n%s END \$do\$", statement(), statement(),
        $fails, chance(0.5) ? statement() : 'NULL', chance(0.5) ? statement() . ';' : '';
}

# Rows one by one, by a cursor, which PostgreSQL does not do through a root.
sub cursor
{
    my ($table) = some(1, grep { !leaves($_) } @tables) or return statement();
    my $set = set_list($table, $table->{name});
    return sprintf "DO \$do\$ DECLARE c CURSOR FOR SELECT FROM %s WHERE %s FOR UPDATE;\nBEGIN FOR r IN c LOOP %s WHERE CURRENT OF c; END LOOP; END \$do\$",
        $table->{name}, where($table), $set && chance(0.7) ? "UPDATE $table->{name} SET $set" : "DELETE FROM $table->{name}";
}

sub any_statement { return chance(0.03) ? cursor() : chance(0.08) ? copy(target()) : chance(0.1) ? exception_block() : statement(); }

# BEGIN … COMMIT or ROLLBACK, with savepoints kept, released and rolled back to.
sub transaction
{
    my @step = 'BEGIN' . pick('', '', ' ISOLATION LEVEL REPEATABLE READ', ' ISOLATION LEVEL SERIALIZABLE');
    my $open = 0;
    for (1 .. 2 + roll(5))
    {
        if (chance(0.35))
        {
            push @step, 'SAVEPOINT s' . ++$open;
        }
        push @step, chance(0.12) ? ddl_step() : any_statement();
        if ($open && chance(0.35))
        {
            push @step, chance(0.7) ? "ROLLBACK TO s$open" : 'RELEASE s' . $open--;
        }
    }
    return [ @step, chance(0.6) ? 'COMMIT' : 'ROLLBACK' ];
}

# A row that is there before the workload, unless it collides.
sub initial
{
    my ($table) = @_;
    my ($columns, $rows) = columns_and_rows($table, 1);
    return sprintf 'INSERT INTO %s (%s) VALUES %s ON CONFLICT DO NOTHING', $table->{name}, $columns, $rows;
}

sub initial_rows
{
    @tables = @{ $_[0] };
    return map { my $table = $_; map { [ initial($table) ] } 1 .. 10 } @tables;
}

sub make_workload
{
    my ($tables, $views, $statements) = @_;
    @tables = @$tables;
    start_ddl($tables, $views, \&statement);
    my ($count, @steps) = (0);
    while ($count < $statements)
    {
        push @steps, chance(0.15) ? transaction() : chance(0.12) ? [ ddl_step() ] : [ any_statement() ];
        $count += @{ $steps[-1] };
    }
    return @steps;
}

1;
