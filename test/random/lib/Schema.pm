# A random schema: tables with assorted column types, keys, foreign keys and triggers. Domains of
# values are small, so that rows meet.
package Schema;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Partitions;
our @EXPORT = qw(make_schema literal family as_text @PREAMBLE);

our @PREAMBLE = (
    q{CREATE TYPE stage AS ENUM ('new', 'open', 'won', 'lost')},
    q{CREATE DOMAIN small AS integer CHECK (VALUE < 1000)},
    q{CREATE DOMAIN label AS text},
    q{CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)},
);

# Columns of one family can be compared. A numeric has a fixed scale and no view computes with
# floating point: equal values look the same, so that any choice among them gives the same row.
my %family = (
    'integer' => 'int', 'bigint' => 'int', 'smallint' => 'int', 'small' => 'int', 'numeric(8,2)' => 'num',
    'numeric' => 'num', 'text' => 'text', 'varchar(12)' => 'text', 'label' => 'text', 'uuid' => 'uuid',
    'date' => 'date', 'timestamp' => 'date', 'stage' => 'stage', 'boolean' => 'bool',
    'text COLLATE ci' => 'ci', 'jsonb' => 'jsonb', 'integer[]' => 'int[]', 'text[]' => 'text[]',
);
sub family { return $family{ $_[0] } // $_[0]; }

sub array_literal
{
    my ($type, @values) = @_;
    return sprintf q('{%s}'::%s), join(',', @values), $type;
}

# One of few values of the type; `$range` of them.
sub literal
{
    my ($type, $range) = @_;
    $range //= 6;
    my $n = 1 + roll($range);
    my $letter = chr(ord('a') + $n - 1);
    my $family = family($type);
    return $n if $family eq 'int';
    return sprintf '%d.%s', $n, chance(0.8) ? '00' : '50' if $family eq 'num';
    return "'$letter'" if $family eq 'text';
    return sprintf q('%s'), chance(0.5) ? $letter : uc $letter if $family eq 'ci';
    return sprintf q('00000000-0000-4000-8000-%012d'::uuid), $n if $family eq 'uuid';
    return sprintf q('2026-01-%02d'::date), $n if $type eq 'date';
    return sprintf q('2026-01-%02d %02d:00'::timestamp), $n, chance(0.5) ? 0 : 9 if $family eq 'date';
    return sprintf q('%s'::stage), pick(qw(new open won lost)) if $family eq 'stage';
    return pick(qw(true false)) if $family eq 'bool';
    return array_literal($type, map { 1 + roll(6) } 1 .. roll(4)) if $family eq 'int[]';
    return array_literal($type, map { chr(ord('a') + roll(6)) } 1 .. roll(4)) if $family eq 'text[]';
    return pick(
        sprintf(q('{"n": %d, "s": "%s"}'::jsonb), $n, $letter),
        sprintf(q('{"n": %d, "tags": ["%s", "x"]}'::jsonb), $n, $letter),
        q('{"s": null}'::jsonb), q('[1, 2]'::jsonb));
}

# The column as text by immutable functions only, or undef: the output functions of enums, dates and
# arrays are stable.
sub as_text
{
    my ($column) = @_;
    my $family = family($column->{type});
    return $column->{sql} if $family eq 'text';
    return $family =~ /^(int|num|uuid|jsonb)$/ ? "$column->{sql}::text" : undef;
}

my @key_types = (
    'integer' => 50, 'text' => 12, 'uuid' => 10, 'bigint' => 8, 'date' => 6, 'numeric(8,2)' => 5,
    'varchar(12)' => 4, 'small' => 4, 'text COLLATE ci' => 3, 'timestamp' => 3);
my @column_types = (
    'integer' => 22, 'bigint' => 10, 'text' => 12, 'varchar(12)' => 6, 'numeric(8,2)' => 8, 'uuid' => 4,
    'date' => 6, 'timestamp' => 8, 'stage' => 6, 'small' => 3, 'label' => 3, 'boolean' => 6,
    'integer[]' => 6, 'text[]' => 3, 'jsonb' => 6, 'text COLLATE ci' => 2);

sub make_table
{
    my ($name, @parents) = @_;
    my $table = { name => $name, columns => [], key => [], parents => [], constraints => [] };
    my $add = sub {
        my %column = @_;
        push @{ $table->{columns} }, \%column;
        return \%column;
    };
    # A composite key may share a column with a foreign key only by its values.
    my @key = chance(0.2) ? qw(k1 k2) : qw(id);
    push @{ $table->{key} }, $add->(name => $_, type => weighted(@key_types), key => 1, composite => @key > 1)
        for @key;

    # A table can refer to itself.
    for my $parent (some(1 + roll(2), @parents, chance(0.15) ? $table : ()))
    {
        my $null = chance(0.75);
        my $number = @{ $table->{parents} };
        my @columns = map {
            $add->(
                name => "p${number}_$_->{name}", type => $_->{type}, null => $null,
                parent => chance(0.85) ? $parent : undef, parent_column => $_->{name})
        } @{ $parent->{key} };
        push @{ $table->{parents} }, { table => $parent, columns => \@columns };
        next unless chance(0.65);
        $_->{constrained} = 1 for @columns;
        push @{ $table->{constraints} }, sprintf 'FOREIGN KEY (%s) REFERENCES %s%s%s',
            join(', ', map { $_->{name} } @columns), $parent->{name},
            $null && chance(0.4) ? ' ON DELETE SET NULL' : chance(0.8) ? ' ON DELETE CASCADE' : '',
            pick('', ' ON UPDATE CASCADE', ' ON UPDATE CASCADE', $null ? ' ON UPDATE SET NULL' : '')
            . (chance(0.15) ? ' DEFERRABLE INITIALLY DEFERRED' : '');
    }
    $add->(name => "c$_", type => weighted(@column_types), null => chance(0.7)) for 1 .. 3 + roll(3);
    my ($source) = grep { family($_->{type}) eq 'int' && !$_->{key} } @{ $table->{columns} };
    $add->(name => 'g', type => 'integer', null => 1, generated => "($source->{name} % 3)::integer")
        if $source && chance(0.2);
    return $table;
}

sub create_table
{
    my ($table) = @_;
    my @key = map { $_->{name} } @{ $table->{key} };
    my $ddl = sprintf 'CREATE TABLE %s (PRIMARY KEY (%s)', $table->{name}, join ', ', @key;
    for my $column (@{ $table->{columns} })
    {
        my $text = sprintf ', %s %s%s%s', $column->{name}, $column->{type},
            $column->{null} || $column->{key} ? '' : ' NOT NULL',
            $column->{generated} ? " GENERATED ALWAYS AS ($column->{generated}) STORED" : '';
        $ddl .= $column->{key} ? $text : optional($text);
    }
    $ddl .= optional(", $_") for @{ $table->{constraints} };
    my ($by, @partitions) = chance(0.3) ? partition($table) : '';
    return ("$ddl)$by", @partitions);
}

# A trigger of the user's that writes another table, at depth one only; its name puts it before or
# after those of freshcrm.
sub create_trigger
{
    my ($table, $other) = @_;
    $other->{written} = 1;
    my ($column) = some(1, grep { !$_->{key} && !$_->{generated} && !$_->{parent} } @{ $other->{columns} });
    my $write = sprintf 'UPDATE %s SET %s = %s WHERE %s = %s', $other->{name}, $column->{name},
        $column->{null} && chance(0.3) ? 'NULL' : literal($column->{type}),
        map { ($_->{name}, literal($_->{type})) } $other->{key}[0];
    my $more = sprintf 'DELETE FROM %s WHERE %s = %s', $other->{name},
        map { ($_->{name}, literal($_->{type}, 9)) } $other->{key}[0];
    my $when = chance(0.3) ? 'BEFORE' : 'AFTER';
    my $name = pick(qw(a_user z_user));
    return (
        "CREATE FUNCTION $name() RETURNS trigger LANGUAGE plpgsql AS \$f\$ BEGIN\n"
            . "IF pg_trigger_depth() = 1 THEN $write; " . (chance(0.3) ? optional("$more; ") : '')
            . "END IF;\nIF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END \$f\$",
        sprintf 'CREATE TRIGGER %s %s %s ON %s FOR EACH %s EXECUTE FUNCTION %s()', $name, $when,
            join(' OR ', some(2, qw(INSERT UPDATE DELETE))), $table->{name},
            pick(qw(ROW STATEMENT)), $name);
}

# A materialized view of the table's rows, which some views read instead of the table.
sub create_matview
{
    my ($table) = @_;
    my $name = $table->{matview} = $table->{name} =~ s/^t/m/r;
    my ($column) = some(1, grep { $_->{null} } @{ $table->{columns} });
    my $where = $column && chance(0.3) ? optional(" WHERE $column->{name} IS NOT NULL") : '';
    return ("CREATE MATERIALIZED VIEW $name AS SELECT * FROM $table->{name}$where",
        sprintf('CREATE UNIQUE INDEX ON %s (%s)', $name, join ', ', map { $_->{name} } @{ $table->{key} }));
}

# Returns the tables and the statements that create them.
sub make_schema
{
    my (@tables, @ddl);
    for my $i (1 .. 3 + roll(5))
    {
        push @tables, make_table("t$i", @tables);
        push @ddl, create_table($tables[-1]);
    }
    for my $table (@tables)
    {
        push @ddl, sprintf 'CREATE INDEX ON %s (%s)', $table->{name}, join ', ', map { $_->{name} } @{ $_->{columns} }
            for grep { chance(0.4) } @{ $table->{parents} };
    }
    push @ddl, map { create_matview($_) } grep { chance(0.35) } @tables;
    push @ddl, create_trigger(some(2, @tables)) if chance(0.35);
    return (\@tables, \@ddl);
}

1;
