# Subqueries and aggregates in expressions.
package Sublinks;
use strict;
use warnings;
use Exporter 'import';
use Dice;
use Schema;
use Relation;
our @EXPORT = qw(expression scalar_sublink exists_sublink aggregate groupable);

# How deep subqueries stand in each other.
our $level = 0;

# Types that can be grouped, sorted and aggregated with one result: of equal values of a
# case-insensitive collation any could be taken.
sub groupable
{
    my ($relation, $test) = @_;
    return columns_like($relation, sub { family($_[0]{type}) !~ /^(ci|jsonb)$/ && (!$test || $test->($_[0])) });
}

# A table, sometimes with a join, linked to the outer relation by equality; returns it and what links
# it.
sub linked
{
    my ($outer) = @_;
    for (1 .. 4)
    {
        my $inner = $level < 2 && chance(0.3) ? joined(0, 1) : relation(0);
        my @columns = shuffled(@{ $inner->{columns} });
        @columns = sort { !!$b->{parent} <=> !!$a->{parent} } @columns if chance(0.5);
        if (may('array_link', 0.06))
        {
            my ($array) = some(1, columns_like($outer, sub { $_[0]{type} eq 'integer[]' }));
            my ($element) = some(1, columns_like($inner, sub { $_[0]{type} eq 'integer' }));
            return ($inner, "$element->{sql} = ANY ($array->{sql})") if $array && $element;
        }
        if (may('inequality', 0.04))
        {
            my ($a) = some(1, groupable($outer, sub { $_[0]{type} eq 'integer' }));
            my ($b) = some(1, groupable($inner, sub { $_[0]{type} eq 'integer' }));
            return ($inner, "$a->{sql} < $b->{sql}") if $a && $b;
        }
        for my $column (@columns)
        {
            my ($equality) = link_columns($outer->{columns}, [$column]);
            next unless $equality;
            my ($second) = may('two_links', 0.3) ? link_columns($outer->{columns}, [ pick(@columns) ]) : ();
            return ($inner, "$equality" . ($second ? optional(" AND $second") : ''));
        }
    }
    return;
}

# The inner query's FROM and WHERE.
sub body
{
    my ($inner, $link) = @_;
    push @{ $inner->{where} }, condition($inner) if chance(0.35);
    push @{ $inner->{where} }, exists_sublink($inner) if $level < 2 && may('sublink_in_sublink', 0.15);
    return sprintf '%s%s', $inner->{from}, where_text($inner, grep { defined } $link);
}

# A condition with a subquery.
sub exists_sublink
{
    my ($outer) = @_;
    local $level = $level + 1;
    my $kind = weighted(
        always => 0.001, map { allowed($_->[0]) ? @$_ : () } [ exists => 4 ], [ not_exists => 3 ], [ in => 3 ],
        [ any => 1 ], [ row_in => 1 ], [ not_in => 0.3 ], [ scalar => 1 ], [ uncorrelated => 0.2 ]);
    return condition($outer) if $kind eq 'always';
    used($kind);
    if ($kind eq 'scalar')
    {
        my $value = scalar_sublink($outer) or return condition($outer);
        # "= ANY ((SELECT …))" would be another subquery.
        return $value->{type} =~ /\[\]/ ? "$value->{sql} IS NULL" : condition({ columns => [$value] });
    }
    my ($inner, $link) = linked($outer) or return condition($outer);
    return sprintf 'EXISTS (SELECT FROM %s)', body($inner, $link) if $kind eq 'exists';
    return sprintf 'NOT EXISTS (SELECT 1 FROM %s)', body($inner, $link) if $kind eq 'not_exists';
    return sprintf 'EXISTS (SELECT FROM %s)', body($inner) if $kind eq 'uncorrelated';

    # The rows' own comparison links them; a correlation may do so too.
    my ($from, $to);
    for my $column (shuffled(@{ $inner->{columns} }))
    {
        my ($equality) = link_columns($outer->{columns}, [$column]) or next;
        ($from, $to) = split / = /, $equality;
        ($from, $to) = ($to, $from) if $from eq $column->{sql};
        last;
    }
    return condition($outer) unless defined $from;
    my $from_where = body($inner, chance(0.3) ? $link : ());
    my $array = $kind eq 'any' && may('array_sublink', 0.3);
    return "($from, 1) IN (SELECT $to, 1 FROM $from_where)" if $kind eq 'row_in';
    return sprintf '%s = ANY (%s(SELECT %s FROM %s))', $from, $array ? 'ARRAY' : '', $to, $from_where if $kind eq 'any';
    return sprintf '%s %s (SELECT %s FROM %s)', $from, $kind eq 'in' ? 'IN' : 'NOT IN', $to, $from_where;
}

# A value from the rows linked to one row.
sub scalar_sublink
{
    my ($outer) = @_;
    local $level = $level + 1;
    my ($inner, $link) = linked($outer) or return;
    my $order = join ', ', @{ $inner->{order} };
    my ($column) = some(1, groupable($inner)) or return;
    my $kind = weighted(
        aggregate => 5, map { allowed($_->[0]) ? @$_ : () } [ latest => 3 ], [ array_sublink => 1.5 ], [ grouped => 0.7 ]);
    if ($kind eq 'latest')
    {
        used($kind);
        my $value = pick(@{ $inner->{columns} });
        my $item = $level < 2 && may('sublink_in_sublink', 0.2) ? expression($inner) : $value;
        return { type => $item->{type}, null => 1, sql => sprintf '(SELECT %s FROM %s ORDER BY %s%s, %s LIMIT 1)',
            $item->{sql}, body($inner, $link), $column->{sql}, pick('', ' DESC', ' DESC NULLS LAST'), $order };
    }
    if ($kind eq 'array_sublink')
    {
        used($kind);
        my ($value) = some(1, groupable($inner, sub { $_[0]{type} =~ /^(integer|text|date|numeric.*)$/ })) or return;
        return { type => $value->{type} . '[]', sql => sprintf 'ARRAY(SELECT %s FROM %s ORDER BY %s%s)',
            $value->{sql}, body($inner, $link), $order, chance(0.2) ? ' LIMIT 2' : '' };
    }
    if ($kind eq 'grouped')
    {
        used($kind);
        return { type => $column->{type}, null => 1, sql => sprintf
                '(SELECT %s FROM %s GROUP BY %1$s%s ORDER BY count(*) DESC, %1$s LIMIT 1)', $column->{sql},
            body($inner, $link), chance(0.3) ? ' HAVING count(*) > 1' : '' };
    }
    used('scalar');
    my $value = aggregate($inner);
    return { type => $value->{type}, null => 1, sql => sprintf '(SELECT %s FROM %s%s)', $value->{sql},
        body($inner, $link), may('having', 0.1) ? ' HAVING count(*) > 1' : '' };
}

# An aggregate over the relation's rows whose result does not depend on their order.
sub aggregate
{
    my ($relation) = @_;
    my $order = join ', ', @{ $relation->{order} };
    my $filter = may('filter', 0.25) ? optional(' FILTER (WHERE ' . condition($relation) . ')') : '';
    my ($any) = some(1, groupable($relation));
    my ($number) = some(1, groupable($relation, sub { family($_[0]{type}) =~ /^(int|num)$/ }));
    my ($sortable) = some(1, groupable($relation, sub { family($_[0]{type}) !~ /uuid|bool|\[\]/ }));
    my ($bool) = some(1, groupable($relation, sub { $_[0]{type} eq 'boolean' }));
    my ($text) = some(1, grep { defined as_text($_) } groupable($relation));
    my @kinds = (count => 3);
    push @kinds, minmax => 4 if $sortable;
    push @kinds, sum => 3, avg => 1 if $number;
    push @kinds, bool => 1 if $bool;
    push @kinds, string => 2 if $text;
    push @kinds, array => 1 if $any && $any->{type} =~ /^(integer|text|date|numeric.*)$/;
    push @kinds, distinct => 1 if $any;
    push @kinds, json => 2 if $any && allowed('json_agg');
    push @kinds, ordered_set => 2 if $sortable && allowed('ordered_set');
    push @kinds, nested => 1 if $level < 1 && allowed('sublink_in_aggregate');
    my $kind = weighted(@kinds);
    my $result = sub { return { sql => "$_[0]$filter", type => $_[1], null => $_[2] // 1, computed => 1 } };
    if ($kind eq 'nested')
    {
        my $value = scalar_sublink($relation);
        used('sublink_in_aggregate') if $value;
        return $result->("count($value->{sql})", 'bigint', 0) if $value;
    }
    return $result->(sprintf('%s(%s)', pick(qw(min max)), $sortable->{sql}), base_type($sortable)) if $kind eq 'minmax';
    return $result->("sum($number->{sql})", $number->{type} =~ /^(integer|small)$/ ? 'bigint' : 'numeric') if $kind eq 'sum';
    return { sql => "round(avg($number->{sql})$filter, 2)", type => 'numeric', null => 1, computed => 1 } if $kind eq 'avg';
    return $result->(sprintf('%s(%s)', pick(qw(bool_or bool_and)), $bool->{sql}), 'boolean') if $kind eq 'bool';
    return $result->(sprintf("string_agg(%s, ',' ORDER BY %1\$s, %s)", as_text($text), $order), 'text') if $kind eq 'string';
    return $result->(sprintf('array_agg(%s ORDER BY %s%s)', $any->{sql}, pick('', "$any->{sql} DESC, "), $order), base_type($any) . '[]')
        if $kind eq 'array';
    return $result->("count(DISTINCT $any->{sql})", 'bigint', 0) if $kind eq 'distinct';
    if ($kind eq 'json')
    {
        used('json_agg');
        return $result->("jsonb_agg($any->{sql} ORDER BY $order)", 'jsonb');
    }
    if ($kind eq 'ordered_set')
    {
        used('ordered_set');
        return $result->(sprintf('%s WITHIN GROUP (ORDER BY %s)', pick('percentile_disc(0.5)', 'percentile_disc(1)', 'mode()'),
                $sortable->{sql}), base_type($sortable));
    }
    return $result->(chance(0.5) || !$any ? 'count(*)' : "count($any->{sql})", 'bigint', 0);
}

# What aggregates and expressions give for a column of the type.
sub base_type
{
    my ($column) = @_;
    return $column->{type} =~ s/^small$/integer/r =~ s/^(label|varchar.*)$/text/r =~ s/^numeric.*/numeric/r;
}

# An item of a select list.
sub expression
{
    my ($relation) = @_;
    my $sublink = may('sublink_item', 0.45) && $level < 2 ? scalar_sublink($relation) : undef;
    return $sublink if $sublink;
    my $column = pick(@{ $relation->{columns} });
    my ($sql, $family) = ($column->{sql}, family($column->{type}));
    return { sql => exists_sublink($relation), type => 'boolean', null => 1 } if $level < 1 && may('sublink_boolean', 0.12);
    if (may('expression', 0.3))
    {
        return { sql => "($sql * 2 + 1)", type => base_type($column), null => $column->{null} } if $family eq 'int' && $column->{type} ne 'bigint';
        return { sql => "coalesce($sql, '-')", type => 'text' } if $family eq 'text';
        return { sql => "date_trunc('month', $sql)", type => 'timestamp', null => 1 } if $column->{type} eq 'timestamp';
        return { sql => "(CASE WHEN " . condition($relation) . " THEN $sql END)", type => base_type($column), null => 1 }
            if $family !~ /ci|jsonb/;
    }
    return { sql => "($sql ->> 's')", type => 'text', null => 1 } if $family eq 'jsonb' && may('jsonb', 0.6);
    return $column;
}

$Relation::make_exists = \&exists_sublink;

1;
