# What stands in FROM: tables, views, subqueries and their joins, as a hash of
#   from     text
#   columns  of { sql, type, null }
#   key      those of them that are never NULL and unique together
#   order    expressions that order its rows completely
#   where    conjuncts
package Relation;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Partitions;
use Schema;
our @EXPORT = qw(use_relations alias table_relation relation joined with_ctes link_columns condition columns_like
    where_text);

my (@tables, @views, $aliases);
our @with;  # CTEs in reach
our ($make_query, $make_exists);  # set by Views and Sublinks, which need this module

# The tables and the views to choose from.
sub use_relations { my ($tables, $views) = @_; @tables = @$tables; @views = @$views; $aliases = 0; return; }
sub alias { return 'a' . ++$aliases; }

# with_ctes(LIST, CODE): queries made in CODE can read them.
sub with_ctes
{
    my ($ctes, $code) = @_;
    local @with = (@with, @$ctes);
    return $code->();
}

sub columns_like
{
    my ($relation, $test) = @_;
    return grep { $test->($_) } @{ $relation->{columns} };
}

sub table_relation
{
    my $table = $_[0] // pick(@tables);
    my $alias = alias();
    # A partition may be read by itself.
    my $name = chance(0.12) ? pick(leaves($table), $table->{name}) : $table->{name};
    my $matview = $table->{matview} && may('matview', 0.4);
    $name = $table->{matview} if $matview;
    my @columns = map { { sql => "$alias.$_->{name}", type => $_->{type}, null => $_->{null}, key => $_->{key},
                          parent => $_->{parent}, table => $table->{name}, name => $_->{name} } }
        grep { !$_->{generated} || allowed('generated') } @{ $table->{columns} };
    my @key = grep { $_->{key} } @columns;
    return {
        from => "$name AS $alias", alias => $alias, table => $matview ? undef : $table, columns => \@columns, key => \@key,
        order => [ map { $_->{sql} } @key ], where => [] };
}

# A query, view or CTE as a relation.
sub query_relation
{
    my ($query, $text) = @_;
    my $alias = alias();
    my %key = map { $_ => 1 } @{ $query->{key} };
    my @columns = map { { sql => "$alias.$_->{name}", type => $_->{type}, null => $_->{null}, name => $_->{name},
                          table => $text, computed => $_->{computed}, key => $key{ $_->{name} } } } @{ $query->{columns} };
    my @key = grep { $_->{key} } @columns;
    return {
        from => "$text AS $alias", alias => $alias, columns => \@columns, key => \@key,
        order => [ map { $_->{sql} } @key ], where => [] };
}

sub relation
{
    my ($depth) = @_;
    my @sure = grep { $_->{sure} && !$_->{over} } @views;
    return query_relation($_, $_->{name}) for @with && chance(0.5) ? pick(@with) : ();
    return query_relation($_, $_->{name}) for @sure && may('nested_view', 0.2) ? pick(@sure) : ();
    return query_relation($_, "$_->{name}_hot") for @sure && may('over_projection', 0.15) ? pick(@sure) : ();
    if ($depth > 0 && may('from_subquery', 0.2))
    {
        my $query = attempt(sub { my $made = $make_query->($depth - 1); return $made->{sure} && $made; });
        return query_relation($query, "($query->{sql})") if $query;
    }
    return table_relation();
}

sub comparable
{
    my ($a, $b) = @_;
    my ($left, $right) = map { family($_->{type}) } $a, $b;
    return 0 if "$left $right" =~ /bool|jsonb|\[\]/;
    return 1 if $a->{type} eq $b->{type} || "$left $right" eq 'text text';
    return 0 unless $left eq $right || "$left $right" =~ /^(int num|num int)$/;
    return allowed('cross_type');
}

# link_columns(LEFT, RIGHT): an equality for each column of RIGHT, with columns of LEFT that can be
# compared; those that refer to the table of RIGHT first.
sub link_columns
{
    my ($left, $right) = @_;
    my @equalities;
    for my $to (@$right)
    {
        my @from = grep { comparable($_, $to) } @$left;
        my @parents = grep { $_->{parent} && $to->{table} && $_->{parent}{name} eq $to->{table} } @from;
        @parents = grep { $_->{name} =~ /_\Q$to->{name}\E$/ } @parents;
        my $from = @parents && chance(0.7) ? pick(@parents) : @from ? pick(@from) : return;
        used('cross_type') if $from->{type} ne $to->{type} && family($to->{type}) ne 'text';
        my @sides = ($from->{sql}, $to->{sql});
        @sides = reverse @sides if chance(0.3);
        push @equalities, "$sides[0] = $sides[1]";
    }
    return @equalities;
}

# A simple condition on the relation's columns.
sub condition
{
    my ($relation) = @_;
    my $column = pick(@{ $relation->{columns} });
    my ($sql, $type) = @$column{qw(sql type)};
    my $family = family($type);
    my $value = sub { literal($type) };
    return "$sql IS " . pick('NOT NULL', 'NULL') if $column->{null} && chance(0.2);
    return pick('', 'NOT ') . "coalesce($sql, false)" if $family eq 'bool';
    if ($family eq 'jsonb')
    {
        return may('jsonb', 1)
            ? pick("$sql ? 's'", "$sql ->> 's' = 'b'", "($sql -> 'n')::integer > 2", qq($sql @> '{"tags": ["x"]}'))
            : "$sql IS NOT NULL";
    }
    if ($family =~ /(.*)\[\]/)
    {
        return "$sql <> '{}'" unless $1 =~ /^(int|text)$/ && may('array', 1);
        return sprintf '%s = ANY (%s)', literal($1 eq 'int' ? 'integer' : 'text'), $sql;
    }
    my ($other) = some(1, grep { $_ != $column && $_->{type} eq $type } @{ $relation->{columns} });
    return sprintf '%s %s %s', $sql, pick('<', '<>', '>='), $other->{sql} if $other && chance(0.2);
    # Mostly true: rows are to pass several of them.
    return sprintf '%s %s (%s)', $sql, pick('IN', 'NOT IN', 'NOT IN'), join ', ', map { $value->() } 1 .. 3 if chance(0.2);
    return sprintf '(%s = %s OR %s)', $sql, $value->(), condition($relation) if chance(0.15);
    return sprintf '%s %s %s', $sql, pick('=', '<>', '<>', '<>'), $value->() if $family eq 'ci' || chance(0.4);
    return sprintf '%s %s', $sql, chance(0.5) ? '<= ' . greatest($type) : '> ' . literal($type, 2);
}

# One of the greater values of a type.
sub greatest
{
    my ($type) = @_;
    my ($value) = sort { $b cmp $a } map { literal($type) } 1 .. 3;
    return $value;
}

sub nullable
{
    my ($relation) = @_;
    $_->{null} = 1 for @{ $relation->{columns} };
    return;
}

sub add
{
    my ($relation, $other, $many) = @_;
    push @{ $relation->{columns} }, @{ $other->{columns} };
    push @{ $relation->{where} }, @{ $other->{where} };
    if ($many)
    {
        push @{ $relation->{key} }, @{ $other->{key} };
        push @{ $relation->{order} }, @{ $other->{order} };
    }
    return;
}

# [LEFT] JOIN LATERAL (… ORDER BY … LIMIT 1): the latest of the rows linked to one.
sub join_lateral
{
    my ($relation, $depth) = @_;
    my $inner = table_relation();
    my ($equality) = link_columns($relation->{columns}, [ pick(@{ $inner->{columns} }) ]) or return;
    my @columns = grep { family($_->{type}) !~ /ci/ } @{ $inner->{columns} };
    my $order = pick(grep { family($_->{type}) !~ /jsonb|ci/ } @columns) or return;
    my @list = some(2, @columns);
    my $alias = alias();
    my $left = may('left', 0.6);
    $relation->{from} .= sprintf ' %s JOIN LATERAL (SELECT %s FROM %s WHERE %s%s ORDER BY %s%s, %s LIMIT 1) AS %s%s',
        $left ? 'LEFT' : 'CROSS', join(', ', map { "$list[$_]{sql} AS l$_" } 0 .. $#list), $inner->{from}, $equality,
        chance(0.4) ? optional(' AND ' . condition($inner)) : '', $order->{sql}, pick('', ' DESC', ' DESC NULLS LAST'),
        join(', ', @{ $inner->{order} }), $alias, $left ? ' ON true' : '';
    push @{ $relation->{columns} }, map { { sql => "$alias.l$_", type => $list[$_]{type}, null => $left || $list[$_]{null} } } 0 .. $#list;
    return 1;
}

# unnest() of an array column: one row an element.
sub join_unnest
{
    my ($relation) = @_;
    my ($array) = some(1, columns_like($relation, sub { $_[0]{type} =~ /\[\]/ })) or return;
    my $alias = alias();
    $relation->{from} .= " CROSS JOIN unnest($array->{sql}) WITH ORDINALITY AS $alias (x, n)";
    push @{ $relation->{columns} }, { sql => "$alias.x", type => $array->{type} =~ s/\[\]//r, null => 1 };
    my $number = { sql => "$alias.n", type => 'bigint' };
    push @{ $relation->{key} }, $number;
    push @{ $relation->{order} }, $number->{sql};
    return 1;
}

# Adds a join to the relation, if one can be found. Unless `$many`, it joins at most one row to each.
sub join_one
{
    my ($relation, $depth, $many) = @_;
    return attempt(sub { add_join($relation, $depth, $many) }) && ++$relation->{joins};
}

sub add_join
{
    my ($relation, $depth, $many) = @_;
    return join_lateral($relation, $depth) if may('lateral', 0.2);
    return join_unnest($relation) if $many && may('unnest', 0.25);
    my $other = relation($depth);
    # (b JOIN c ON …), joined as one.
    my $nested = 0;
    if (chance(0.15))
    {
        $nested = join_one($other, 0, 0);
        $other->{from} = "($other->{from})" if $nested;
    }
    my @to = $many && chance(0.7) ? pick(@{ $other->{columns} }) : @{ $other->{key} };
    my $unique = join(' ', sort map { $_->{sql} } @to) eq join(' ', sort map { $_->{sql} } @{ $other->{key} });
    my @equalities = link_columns($relation->{columns}, \@to);
    if (!@equalities || ($many && !$unique && may('array', 0.2)))
    {
        return unless $many;
        my ($array) = some(1, columns_like($relation, sub { $_[0]{type} eq 'integer[]' })) or return;
        my ($element) = some(1, columns_like($other, sub { $_[0]{type} =~ /^(integer|small)$/ })) or return;
        return unless may('array', 1);
        @equalities = "$element->{sql} = ANY ($array->{sql})";
        $unique = 0;
    }
    # With duplicates a null-extended row has no key of its own.
    my $type = weighted(inner => 5, may('left', 1) ? (left => $many && !$unique ? 2 : 6) : (), may('right', 0.3) && !$many ? (right => 2) : ());
    push @equalities, optional(' AND ' . condition($other)) if may('on_more', 0.25);
    push @equalities, map { optional(" AND $_") } link_columns($relation->{columns}, [ pick(@{ $other->{columns} }) ])
        if may('on_equality', 0.25);
    push @equalities, optional(' AND ' . condition($relation)) if $type ne 'right' && may('on_more', 0.1);
    push @equalities, optional(' AND ' . $make_exists->($other)) if may('on_sublink', 0.15);
    my $on = $equalities[0] . join '', map { /^\x01/ ? $_ : " AND $_" } @equalities[ 1 .. $#equalities ];

    if ($type eq 'right')
    {
        my $right = $relation->{joins} ? "($relation->{from})" : $relation->{from};
        $relation->{from} = "$other->{from} RIGHT JOIN $right ON $on";
        nullable($other);
    }
    elsif ($type eq 'left')
    {
        $relation->{from} .= optional(" LEFT JOIN $other->{from} ON $on");
        nullable($other);
        # Not unique then, where the other has no row: it counts as one with a NULL key.
        $relation->{null_key} = 1 if !$unique;
        push @{ $relation->{where} }, "$other->{key}[0]{sql} IS NULL" if $unique && may('anti', 0.08);
    }
    elsif ($on !~ /\x01/ && may('where_join', 0.3))
    {
        $relation->{from} .= " CROSS JOIN $other->{from}";
        push @{ $relation->{where} }, "!$on";  # not to be left out
    }
    else
    {
        $relation->{from} .= " JOIN $other->{from} ON $on";
    }
    add($relation, $other, !$unique);
    return 1;
}

# JOIN (SELECT … AS <same name>) USING (<name>) AS …, first in FROM only, where the name is clear.
sub join_using
{
    my ($relation) = @_;
    my $other = table_relation();
    return if @{ $other->{key} } > 1 || !$relation->{table} || grep { $_->{key} && @{ $relation->{key} } > 1 } @{ $relation->{key} };
    my ($column) = some(1, columns_like($relation, sub { $_[0]{type} eq $other->{key}[0]{type} && family($_[0]{type}) ne 'ci' })) or return;
    my ($more) = some(1, grep { !$_->{key} } @{ $other->{columns} });
    my $alias = alias();
    my $type = may('left', 0.5) ? 'LEFT JOIN' : 'JOIN';
    $relation->{from} .= " $type (SELECT $other->{key}[0]{sql} AS $column->{name}, $more->{sql} AS u FROM $other->{from}) AS $alias USING ($column->{name}) AS j$alias";
    push @{ $relation->{columns} }, { sql => "$alias.u", type => $more->{type}, null => 1 };
    # The merged column.
    push @{ $relation->{columns} }, { sql => "j$alias.$column->{name}", type => $column->{type}, null => $column->{null} };
    return 1;
}

# A relation with a few joins; `$many`: they may multiply its rows.
sub joined
{
    my ($depth, $many) = @_;
    my $relation = relation($depth);
    $relation->{joins} += join_using($relation) // 0 if may('using', 0.15);
    if (may('join', 0.85))
    {
        join_one($relation, $depth, $many) for 1 .. 1 + roll(3);
    }
    push @{ $relation->{where} }, condition($relation) if chance(0.35);
    push @{ $relation->{where} }, link_columns($relation->{columns}, [ pick(@{ $relation->{columns} }) ]) if may('where_equality', 0.1);
    push @{ $relation->{where} }, $make_exists->($relation) if may('sublink_where', 0.35);
    return $relation;
}

# " WHERE …": a conjunct after "!" must stay.
sub where_text
{
    my ($relation, @needed) = @_;
    my @conjuncts = map { s/^!//r } @needed, grep { /^!/ } @{ $relation->{where} };
    my @others = grep { !/^!/ } @{ $relation->{where} };
    return @others ? optional(' WHERE ' . $others[0] . join '', map { optional(" AND $_") } @others[ 1 .. $#others ]) : ''
        unless @conjuncts;
    return ' WHERE ' . join(' AND ', @conjuncts) . join '', map { optional(" AND $_") } @others;
}

1;
