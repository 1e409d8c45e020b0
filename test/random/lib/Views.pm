# Random views: queries of the shapes that lineage is to trace, in each other to any depth. Each is
# deterministic: the order is complete wherever a row is chosen. Most have a key that is unique and not
# NULL by construction; the others (`sure` is 0) may be refused, or reject a write.
#
# A query is { sql, columns of { name, type, null }, key names, sure }.
package Views;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Schema;
use Relation;
use Sublinks;
our @EXPORT = qw(make_view @SHAPES);

# What --shapes can name.
our @SHAPES = qw(
    join left right using where_join on_more on_equality on_sublink where_equality anti nested_view over_projection from_subquery cross_type full
    composite_key expression_key generated jsonb array unnest array_link lateral
    sublink_item sublink_where sublink_boolean sublink_in_sublink sublink_in_aggregate
    scalar latest grouped array_sublink exists not_exists in any row_in not_in two_links inequality uncorrelated
    group group_functional filter having having_sublink json_agg ordered_set
    distinct distinct_on window window_latest union union_all intersect except union_in_from cte cte_twice
    matview expression no_sure_key);

# The query of these parts; what a caller may see of the columns.
sub query
{
    my (%part) = @_;
    my @items = map { "$_->{sql} AS $_->{name}" } @{ $part{key} };
    my $list = join ', ', @items;
    $list .= optional(", $_->{sql} AS $_->{name}") for @{ $part{items} };
    return {
        sql => sprintf('SELECT %s%s FROM %s', $part{select} // '', $list, $part{rest}),
        columns => [ map { { name => $_->{name}, type => $_->{type}, null => $_->{null}, computed => $_->{computed} } }
                @{ $part{key} }, @{ $part{items} } ],
        key => [ map { $_->{name} } @{ $part{key} } ],
        sure => $part{sure} // 1 };
}

sub named
{
    my ($prefix, @columns) = @_;
    my $n = 0;
    return map { { %$_, name => $prefix . ++$n } } @columns;
}

# Extra columns of a relation, some with subqueries.
sub items
{
    my ($relation) = @_;
    return named('c', map { expression($relation) } 1 .. 1 + roll(4));
}

# The key as an expression that keeps different values different.
sub key_expression
{
    my ($column) = @_;
    my ($sql, $type) = @$column{qw(sql type)};
    return $column unless $type =~ /^(integer|text|date|timestamp|uuid)$/ && may('expression_key', 0.3);
    return { %$column, sql => "($sql + 100)" } if $type eq 'integer' && chance(0.5);
    return { %$column, sql => "$sql\::bigint", type => 'bigint' } if $type eq 'integer';
    return { %$column, sql => "($sql || '!')" } if $type eq 'text';
    return { %$column, sql => "$sql\::text", type => 'text' } if $type eq 'uuid';
    return { %$column, sql => "$sql\::timestamp", type => 'timestamp' } if $type eq 'date';
    return { %$column, sql => "($sql + interval '1 hour')" };
}

sub plain_query
{
    my ($depth) = @_;
    my $many = may('composite_key', 0.3);
    my $relation = joined($depth, $many);
    return if $relation->{null_key} || (@{ $relation->{key} } > 1 && !may('composite_key', 1)) || @{ $relation->{key} } > 3;
    my @key = named('k', map { key_expression($_) } @{ $relation->{key} });
    return query(key => \@key, items => [ items($relation) ], rest => $relation->{from} . where_text($relation));
}

# FULL JOIN on the keys of both.
sub full_query
{
    my ($left, $right) = (table_relation(), table_relation());
    return if @{ $left->{key} } > 1 || @{ $right->{key} } > 1 || $left->{key}[0]{type} ne $right->{key}[0]{type};
    my ($a, $b) = ($left->{key}[0], $right->{key}[0]);
    my @key = named('k', { %$a, sql => "coalesce($a->{sql}, $b->{sql})" });
    $_->{null} = 1 for @{ $left->{columns} }, @{ $right->{columns} };
    my @items = named('c', some(2, @{ $left->{columns} }), some(2, @{ $right->{columns} }));
    return query(key => \@key, items => \@items, rest => "$left->{from} FULL JOIN $right->{from} ON $a->{sql} = $b->{sql}");
}

# One or two things to group by, not NULL (mostly), and the conditions that make them so.
sub group_key
{
    my ($relation, @from) = @_;
    @from = groupable($relation, sub { $_[0]{type} !~ /\[\]|bool/ }) unless @from;
    my @columns = some(may('composite_key', 0.3) ? 2 : 1, @from) or return;
    for my $column (@columns)
    {
        my ($sql, $type) = @$column{qw(sql type)};
        next unless may('expression_key', 0.25);
        $column = { %$column, sql => "date_trunc('day', $sql)" } if $type eq 'timestamp';
        $column = { %$column, sql => "($sql % 3)" } if $type eq 'integer' && chance(0.6);
        $column = { %$column, sql => "coalesce($sql, 0)", null => 0 } if $type eq 'integer' && $column->{null};
        $column = { %$column, sql => "lower($sql)" } if $type eq 'text';
    }
    my $guard = !may('no_sure_key', 0.05);
    my @null = grep { $_->{null} } @columns;
    return ([ named('k', @columns) ], $guard ? [ map { "$_->{sql} IS NOT NULL" } @null ] : [], $guard || !@null);
}

sub group_query
{
    my ($depth) = @_;
    my $relation = joined($depth, chance(0.7));
    my ($key, $guard, $sure);
    my @items;
    if ($relation->{table} && may('group_functional', 0.3))
    {
        # GROUP BY the primary key of a table: its other columns come along.
        ($key, $guard, $sure) = ([ named('k', grep { $_->{key} && $_->{table} eq $relation->{table}{name}
            && $_->{sql} =~ /^\Q$relation->{alias}.\E/ } @{ $relation->{columns} }) ], [], 1);
        return if @$key > 1 && !may('composite_key', 1);
        return if grep { $_->{null} } @$key;
        @items = some(2, grep { $_->{sql} =~ /^\Q$relation->{alias}.\E/ && !$_->{key} } @{ $relation->{columns} });
    }
    else
    {
        ($key, $guard, $sure) = group_key($relation);
        return unless $key;
    }
    push @items, map { aggregate($relation) } 1 .. 1 + roll(3);
    my @having;
    push @having, optional(pick('count(*) > 1', 'count(*) < 3', condition({ columns => [ aggregate($relation) ] }))) if may('having', 0.25);
    # A subquery sees grouped columns, not grouped expressions.
    my $grouped = { %$relation, columns => [ grep { $_->{sql} =~ /^\w+\.\w+$/ } @$key ] };
    my $can = @{ $grouped->{columns} } > 0;
    push @having, exists_sublink($grouped) if $can && may('having_sublink', 0.12);
    my $rest = $relation->{from} . where_text($relation, @$guard) . ' GROUP BY ' . join ', ', map { $_->{sql} } @$key;
    $rest .= optional(' HAVING ' . join ' AND ', map { plain($_) } @having) if @having;
    my @sublink = $can && may('sublink_item', 0.3) ? scalar_sublink($grouped) : ();
    return query(key => $key, items => [ named('c', @items, @sublink) ], rest => $rest, sure => $sure);
}

sub distinct_query
{
    my ($depth) = @_;
    my $relation = joined($depth, chance(0.5));
    my ($key, $guard, $sure) = group_key($relation);
    return unless $key;
    return query(key => $key, items => [], select => 'DISTINCT ', rest => $relation->{from} . where_text($relation, @$guard), sure => $sure);
}

sub distinct_on_query
{
    my ($depth) = @_;
    my $relation = joined($depth, chance(0.5));
    my ($key, $guard, $sure) = group_key($relation);
    my ($order) = some(1, groupable($relation)) or return;
    return unless $key;
    my $group = join ', ', map { $_->{sql} } @$key;
    return query(
        key => $key, items => [ items($relation) ], select => "DISTINCT ON ($group) ", sure => $sure,
        rest => sprintf '%s%s ORDER BY %s, %s%s, %s', $relation->{from}, where_text($relation, @$guard), $group, $order->{sql},
            pick('', ' DESC', ' NULLS FIRST'), join ', ', @{ $relation->{order} });
}

# Windows over the rows of a group, in a query keyed by the group and the row.
sub window_query
{
    my ($depth) = @_;
    my $relation = joined($depth, 0);
    my ($group) = some(1, grep { !$_->{key} && $_->{type} !~ /\[\]/ } groupable($relation));
    my ($order) = some(1, groupable($relation));
    my ($number) = some(1, groupable($relation, sub { $_[0]{type} eq 'integer' })) or return;
    return unless $group && $order;
    my $rows = join ', ', @{ $relation->{order} };
    if (may('window_latest', 0.5))
    {
        # The first of each group.
        my @items = items($relation);
        my $inner = query(
            key => [ { %$group, name => 'k1' } ],
            items => [ @items ], rest => $relation->{from} . where_text($relation, $group->{null} ? "$group->{sql} IS NOT NULL" : ()));
        my $number = sprintf 'row_number() OVER (PARTITION BY %s ORDER BY %s%s, %s) AS n', $group->{sql}, $order->{sql}, pick('', ' DESC'), $rows;
        $inner->{sql} =~ s/^SELECT /SELECT $number, /;
        my $alias = alias();
        return query(
            key => [ { %$group, sql => "$alias.k1", name => 'k1' } ], items => [ map { { %$_, sql => "$alias.$_->{name}" } } @items ],
            rest => "($inner->{sql}) AS $alias WHERE $alias.n = 1");
    }
    my @key = @{ $relation->{key} };
    unshift @key, $group if !$group->{null} && may('composite_key', 0.7);
    return if @key > 1 && !may('composite_key', 1);
    my $partition = chance(0.3) ? $key[0] : $group;
    my $over = "PARTITION BY $partition->{sql}";
    my @items = map { { sql => $_->[0], type => $_->[1], null => 1, computed => 1 } } some(2,
        [ "count(*) OVER ($over)", 'bigint' ], [ "sum($number->{sql}) OVER ($over ORDER BY $order->{sql}, $rows)", 'bigint' ],
        [ "rank() OVER ($over ORDER BY $order->{sql})", 'bigint' ], [ "lag($number->{sql}) OVER ($over ORDER BY $order->{sql}, $rows)", 'integer' ],
        [ "max($number->{sql}) OVER ($over)", 'integer' ]);
    return query(key => [ named('k', @key) ], items => [ named('c', @items, some(2, @{ $relation->{columns} })) ],
        rest => $relation->{from} . where_text($relation));
}

# SELECT <column> for each branch of a set operation, all of one type and never NULL.
sub branches
{
    my ($count) = @_;
    my $first = joined(0, 0);
    my ($column) = some(1, groupable($first, sub { $_[0]{type} !~ /\[\]|bool|^numeric$/ })) or return;
    my @branches = [ $first, $column ];
    for (2 .. $count)
    {
        my $relation = joined(0, 0);
        my ($other) = some(1, groupable($relation, sub { $_[0]{type} eq $column->{type} })) or next;
        push @branches, [ $relation, $other ];
    }
    return @branches > 1 ? @branches : ();
}

sub branch_text
{
    my ($branch, $items) = @_;
    my ($relation, $column) = @$branch;
    return sprintf 'SELECT %s AS k%s FROM %s%s', $column->{sql}, $items // '', $relation->{from},
        where_text($relation, $column->{null} ? "$column->{sql} IS NOT NULL" : ());
}

# UNION, INTERSECT and EXCEPT of keys alone; UNION ALL of rows with the number of their branch.
sub set_query
{
    my ($operator) = @_;
    my @branches = branches(2 + chance(0.2)) or return;
    my $type = $branches[0][1]{type};
    if ($operator eq 'UNION ALL')
    {
        return unless may('composite_key', 1);
        my $n = 0;
        my @selects;
        for my $branch (@branches)
        {
            my ($relation) = @$branch;
            return if @{ $relation->{key} } > 1 || $relation->{key}[0]{type} ne $branches[0][0]{key}[0]{type};
            my $value = aggregate_free($relation, $type) or return;
            push @selects, sprintf 'SELECT %d AS k1, %s AS k2, %s AS c1 FROM %s%s', ++$n, $relation->{key}[0]{sql}, $value, $relation->{from}, where_text($relation);
        }
        return {
            sql => join(' UNION ALL ', @selects), key => [qw(k1 k2)], sure => 1,
            columns => [ { name => 'k1', type => 'integer' }, { name => 'k2', type => $branches[0][0]{key}[0]{type} }, { name => 'c1', type => $type, null => 1 } ] };
    }
    return {
        sql => join(" $operator ", map { branch_text($_) } @branches), columns => [ { name => 'k', type => $type } ], key => ['k'], sure => 1 };
}

sub aggregate_free
{
    my ($relation, $type) = @_;
    my ($column) = some(1, columns_like($relation, sub { $_[0]{type} eq $type }));
    return $column && $column->{sql};
}

# GROUP BY over a UNION ALL in FROM.
sub union_in_from_query
{
    my @branches = branches(2) or return;
    my $alias = alias();
    my $n = 0;
    my $from = join ' UNION ALL ', map { ++$n; branch_text($_, ", $n AS n") } @branches;
    return query(
        key => [ { sql => "$alias.k", name => 'k1', type => $branches[0][1]{type} } ],
        items => [ { sql => 'count(*)', name => 'c1', type => 'bigint' }, { sql => "min($alias.n)", name => 'c2', type => 'integer' } ],
        rest => "($from) AS $alias GROUP BY $alias.k");
}

# WITH, read once or several times.
sub cte_query
{
    my ($depth) = @_;
    my $cte = make_query($depth - 1);
    return unless $cte->{sure};
    my $name = 'w' . alias();
    my $with = sprintf 'WITH %s AS %s(%s) ', $name, pick('', 'MATERIALIZED ', 'NOT MATERIALIZED '), $cte->{sql};
    my $query = with_ctes([ { %$cte, name => $name } ], sub { make_query(0) });
    my $count = () = $query->{sql} =~ /\b$name AS/g;
    return if !$count || ($count > 1 && !may('cte_twice', 1)) || $query->{sql} =~ /^WITH/;
    return { %$query, sql => $with . $query->{sql} };
}

my %queries = (
    plain => \&plain_query, group => \&group_query, distinct => \&distinct_query, distinct_on => \&distinct_on_query,
    window => \&window_query, full => \&full_query, union_in_from => \&union_in_from_query, cte => \&cte_query);

sub make_query
{
    my ($depth) = @_;
    for (1 .. 20)
    {
        my $kind = weighted(plain => 9, map { allowed($_->[0]) ? @$_ : () } [ group => 4 ], [ distinct => 2 ], [ distinct_on => 2 ],
            [ window => 2 ], [ full => 0.5 ], [ union => 1 ], [ union_all => 1 ], [ intersect => 0.7 ], [ except => 0.7 ], [ union_in_from => 1 ],
            $depth > 0 ? [ cte => 2.5 ] : ());
        my $make = $queries{$kind} // sub { set_query($kind eq 'union_all' ? 'UNION ALL' : uc $kind) };
        my $query = attempt(sub { $make->($depth) });
        used($kind) if $query && $kind ne 'plain';
        return $query if $query;
    }
    my $table = table_relation();
    return query(key => [ named('k', @{ $table->{key} }) ], items => [ named('c', @{ $table->{columns} }) ], rest => $table->{from});
}

# The view `name` over the tables and the earlier views.
sub make_view
{
    my ($name, $tables, $views, @shapes) = @_;
    # Each view may have a part of the shapes only.
    my $part = 0.15 + rand(0.6);
    allow(grep { chance($part) } @shapes);
    use_relations($tables, $views);
    my $query = make_query(2);
    my $sql = $query->{sql};
    used('generated') if plain($sql) =~ /\.g\b/;
    my @used = grep { !/^(no_sure_key|composite_key)$/ } shapes_used();
    push @used, 'composite_key' if @{ $query->{key} } > 1;
    # Over the tables of projections, which are there only if these were not refused.
    my $needed = join ' AND ', map { "to_regclass('$_') IS NOT NULL" } plain($sql) =~ /\b(v\d+_hot)\b/g;
    return { %$query, name => $name, over => $needed, ddl => "CREATE VIEW $name AS $sql", shapes => \@used };
}

$Relation::make_query = \&make_query;

1;
