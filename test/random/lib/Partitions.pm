# Tables in partitions: by list, range or hash of a key column, some of them in two levels, some attached with
# columns in another order.
package Partitions;
use strict;
use warnings;
use Exporter 'import';
use Dice;
our @EXPORT = qw(partition leaves);

my %nth = (
    'integer' => sub { $_[0] }, 'bigint' => sub { $_[0] }, 'small' => sub { $_[0] }, 'numeric(8,2)' => sub { "$_[0].00" },
    'text' => sub { sprintf q('%s'), chr(ord('a') + $_[0] - 1) }, 'varchar(12)' => sub { sprintf q('%s'), chr(ord('a') + $_[0] - 1) },
    'uuid' => sub { sprintf q('00000000-0000-4000-8000-%012d'), $_[0] }, 'date' => sub { sprintf q('2026-01-%02d'), $_[0] },
    'timestamp' => sub { sprintf q('2026-01-%02d'), $_[0] });

# The bounds, some with a gap, where rows are rejected.
sub bounds
{
    my ($method, $value) = @_;
    if ($method eq 'HASH')
    {
        my $modulus = 2 + roll(2);
        return map { "FOR VALUES WITH (MODULUS $modulus, REMAINDER $_)" } 0 .. $modulus - 1;
    }
    my @rest = chance(0.75) ? 'DEFAULT' : ();
    return (map({ 'FOR VALUES IN (' . join(', ', map { $value->($_) } @$_) . ')' } [ 1, 4, 5 ], [ 2, 3 ]), @rest) if $method eq 'LIST';
    my ($low, $high) = map { $value->($_) } 3, 6;
    return ("FOR VALUES FROM (MINVALUE) TO ($low)", "FOR VALUES FROM ($low) TO ($high)",
        chance(0.5) ? "FOR VALUES FROM ($high) TO (MAXVALUE)" : @rest);
}

# partition(TABLE): " PARTITION BY …" and the statements that make the partitions.
sub partition
{
    my ($table) = @_;
    my ($column) = some(1, grep { $nth{ $_->{type} } } @{ $table->{key} }) or return '';
    my $method = pick(qw(LIST RANGE HASH));
    my @ddl;
    for my $bound (bounds($method, $nth{ $column->{type} }))
    {
        my $name = "$table->{name}_p" . (1 + @{ $table->{partitions} // [] });
        push @{ $table->{partitions} }, { name => $name, of => $table->{name}, bound => $bound };
        if (chance(0.3))
        {
            push @ddl, "CREATE TABLE $name (junk integer, LIKE $table->{name} INCLUDING ALL)", "ALTER TABLE $name DROP COLUMN junk",
                "ALTER TABLE $table->{name} ATTACH PARTITION $name $bound";
            next;
        }
        my $below = chance(0.2) ? $table->{key}[-1] : undef;
        $below = undef if $below && !$nth{ $below->{type} };
        push @ddl, "CREATE TABLE $name PARTITION OF $table->{name} $bound" . ($below ? " PARTITION BY HASH ($below->{name})" : '');
        next unless $below;
        $table->{partitions}[-1]{below} = 1;
        for my $i (0, 1)
        {
            my $leaf = "FOR VALUES WITH (MODULUS 2, REMAINDER $i)";
            push @{ $table->{partitions} }, { name => "${name}_$i", of => $name, bound => $leaf };
            push @ddl, "CREATE TABLE ${name}_$i PARTITION OF $name $leaf";
        }
    }
    return (" PARTITION BY $method ($column->{name})", @ddl);
}

# The names of the table's partitions.
sub leaves { return map { $_->{name} } @{ $_[0]{partitions} // [] }; }

1;
