# Steps of a workload with DDL in them: what they rename they give its name back, after a write in between.
package Ddl;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Schema;
our @EXPORT = qw(start_ddl ddl_step ddl_may_fail_with is_ddl);

my (@tables, @views, $write, $number, %added, %definition, @prepared);

# `$write` makes a random statement.
sub start_ddl
{
    my ($tables, $views);
    ($tables, $views, $write) = @_;
    @tables = @$tables;
    @views = grep { !$_->{over} } @$views;
    ($number, %added, @prepared) = (0);
    %definition = map { $_->{name} => $_->{sql} } @views;
    return;
}

# A write that the test accepts.
sub write_like
{
    my ($accepted) = @_;
    for (1 .. 10)
    {
        my $statement = $write->();
        return $statement if $accepted->($statement);
    }
    return 'SELECT';
}

# A table whose name no trigger function has.
sub free_table { return some(1, grep { !$_->{written} } @tables); }

sub rename_table
{
    my ($table) = free_table() or return;
    my $name = $table->{name};
    return ("ALTER TABLE $name RENAME TO ${name}_moved", $write->() =~ s/\b$name\b/${name}_moved/gr, "ALTER TABLE ${name}_moved RENAME TO $name");
}

sub rename_column
{
    my ($table) = free_table() or return;
    my $name = $table->{name};
    my $column = pick(@{ $table->{columns} })->{name};
    return ("ALTER TABLE $name RENAME COLUMN $column TO moved", write_like(sub { $_[0] !~ /\b$column\b/ || $_[0] !~ /\b$name(_p\w+)?\b/ }),
        "ALTER TABLE $name RENAME COLUMN moved TO $column");
}

sub rename_view
{
    my $name = pick(@views)->{name};
    return ("ALTER VIEW $name RENAME TO x_$name", $write->(), "ALTER VIEW x_$name RENAME TO $name");
}

sub rename_schema
{
    return ('ALTER SCHEMA random_case RENAME TO random_moved', 'SET search_path = random_moved, public', $write->(),
        'ALTER SCHEMA random_moved RENAME TO random_case', 'SET search_path = random_case, public');
}

sub change_columns
{
    my $table = pick(@tables)->{name};
    my $old = pick(@{ $added{$table} // [] });
    if (!$old || chance(0.5))
    {
        push @{ $added{$table} }, my $column = 'x' . ++$number;
        return ("ALTER TABLE $table ADD COLUMN $column integer DEFAULT $number", $write->());
    }
    return (chance(0.6) ? "ALTER TABLE $table ALTER COLUMN $old TYPE bigint" : "ALTER TABLE $table DROP COLUMN $old", $write->());
}

# With a further column, of a table that the view may not have read yet.
sub replace_view
{
    my $view = pick(@views);
    my $column = 'z' . ++$number;
    my $value = $number;
    my ($from) = some(1, grep { family($_->{type}) !~ /\[|json|bool|ci/ } @{ $view->{columns} });
    my $table = pick(@tables);
    my ($to) = some(1, grep { $from && $_->{type} eq $from->{type} } @{ $table->{columns} });
    $value = "(SELECT count(*) FROM $table->{name} AS z WHERE z.$to->{name} = q.$from->{name})" if $to;
    $definition{ $view->{name} } = "SELECT q.*, $value AS $column FROM ($definition{ $view->{name} }) AS q";
    return ("CREATE OR REPLACE VIEW $view->{name} AS $definition{ $view->{name} }", $write->());
}

sub some_partition { return some(1, map { @{ $_->{partitions} // [] } } @tables); }

sub detach
{
    my ($partition) = some_partition() or return;
    return ("ALTER TABLE $partition->{of} DETACH PARTITION $partition->{name}", map({ $write->() } 0 .. roll(2)),
        "ALTER TABLE $partition->{of} ATTACH PARTITION $partition->{name} $partition->{bound}");
}

sub drop_partition
{
    my ($partition) = some(1, grep { !$_->{below} } map { @{ $_->{partitions} // [] } } @tables) or return;
    return ("DROP TABLE $partition->{name}", write_like(sub { $_[0] !~ /\b$partition->{name}\b/ }),
        "CREATE TABLE $partition->{name} PARTITION OF $partition->{of} $partition->{bound}");
}

sub project_again
{
    my $view = pick(@views);
    return ("CALL freshcrm.rebuild_projection('$view->{name}_hot', " . (1 + roll(10)) . ')', $write->()) if chance(0.4);
    return ("SELECT freshcrm.drop_projection('$view->{name}_hot')", $write->(),
        sprintf q{SELECT freshcrm.create_projection('%s', '{%s}')}, $view->{name}, join ',', @{ $view->{key} });
}

# A load, in which neither foreign keys nor the user's triggers count.
sub load { return ('SET session_replication_role = replica', $write->(), 'RESET session_replication_role'); }

# A statement whose plan is kept from one step to others.
sub prepared
{
    return 'EXECUTE ' . pick(@prepared) if @prepared && chance(0.6);
    push @prepared, my $name = 'prepared_' . ++$number;
    return ("PREPARE $name AS " . write_like(sub { $_[0] !~ /^(TRUNCATE|REFRESH)/ }), map { "EXECUTE $name" } 0 .. roll(2));
}

my %makers = (
    rename_table => \&rename_table, rename_column => \&rename_column, rename_view => \&rename_view, rename_schema => \&rename_schema,
    change_columns => \&change_columns, replace_view => \&replace_view, detach => \&detach, drop_partition => \&drop_partition,
    project_again => \&project_again, load => \&load, prepared => \&prepared);
my @weights = (
    rename_table => 3, rename_column => 3, rename_view => 2, rename_schema => 1, change_columns => 3, replace_view => 3, detach => 5,
    drop_partition => 2, project_again => 1.5, load => 2, prepared => 4);

sub ddl_step
{
    for (1 .. 10)
    {
        my @statements = $makers{ weighted(@weights) }->();
        return @statements if @statements;
    }
    return $write->();
}

# What may fail because of what went before: a step that failed, or was taken back, or rows in the way.
my @may_fail = (
    [ qr/^ALTER TABLE \S+ (ATTACH|DETACH)/, qr/^(42P01|42809|42P17|55000)$/ ],
    [ qr/^DROP TABLE/, qr/^(2BP01|42P01)$/ ],
    [ qr/^CREATE TABLE/, qr/^(42P07|42P17|42809)$/ ],
    [ qr/^ALTER TABLE \S+ (ADD|DROP|ALTER) COLUMN/, qr/^(0A000|42701|42703|2BP01|42804)$/ ],
    [ qr/^CREATE OR REPLACE VIEW/, qr/^(0A000|42P16|42703)$/ ],
    [ qr/^CALL freshcrm\./, qr/^(42809|42P01|42704)$/ ],
    [ qr/^SELECT freshcrm\./, qr/^(0A000|42809|2BP01|42P01|42704|42710|42P07|42703)$/ ],
    [ qr/^EXECUTE/, qr/^26000$/ ],
    [ qr/^PREPARE/, qr/^42P05$/ ]);

sub ddl_may_fail_with
{
    my ($statement, $sqlstate) = @_;
    return 1 if $sqlstate eq '55006' && $statement =~ /^(ALTER|DROP|CREATE|TRUNCATE|(SELECT|CALL) freshcrm)/;
    return scalar grep { $statement =~ $_->[0] && $sqlstate =~ $_->[1] } @may_fail;
}

sub is_ddl { return $_[0] =~ /^(ALTER|DROP|CREATE|ROLLBACK|COMMIT|SELECT freshcrm)/; }

1;
