# The tables and views of the concurrent test: a small hot data set, in which every client meets the
# others, and projections of every kind over the same tables.
package HotSchema;
use strict;
use warnings;
use Exporter 'import';
use Dice;
our @EXPORT = qw(%TABLES @TABLE_NAMES schema_ddl top_up choose_views spare_view alter_ddl mend_ddl);

my $null_or = sub { my ($code) = @_; return sub { chance(0.1) ? 'NULL' : $code->() }; };
my $number = sub { my ($n) = @_; return sub { 1 + roll($n) }; };
my $text = sub { my (@list) = @_; return sub { "'" . pick(@list) . "'" }; };
my $amount = sub { pick('1', '1.0', '1.00', '2', '2.50', '3.000') };
# Equal in the collation, of different bytes.
my $code = $text->(qw(a A b B c));

# A column: its type, its values, and whether paths lead through it.
our %TABLES = (
    regions   => { key => ['id'], columns => { id => ['integer', $number->(3), 'key'], name => ['text', $text->(qw(n1 n2 n3 n4))] } },
    customers => {
        key     => ['id'],
        columns => {
            id        => ['integer', $number->(5), 'key'],
            region_id => ['bigint', $null_or->($number->(4)), 'link'],
            parent_id => ['integer', $null_or->($number->(6)), 'link'],
            code      => ['text', $null_or->($code), 'link'],
            name      => ['text', $text->(qw(c1 c2 c3 c4))]
        }
    },
    leads => {
        key     => ['id'],
        columns => {
            id          => ['integer', $number->(9), 'key'],
            customer_id => ['bigint', $null_or->($number->(6)), 'link'],
            region_id   => ['integer', $null_or->($number->(4)), 'link'],
            code        => ['text', $null_or->($code), 'link'],
            status      => ['text', $null_or->($text->(qw(new open won))), 'link'],
            amount      => ['numeric', $amount, 'link']
        }
    },
    tags  => { key => [qw(lead_id tag)], columns => { lead_id => ['integer', $number->(9), 'key'], tag => ['text', $text->(qw(t1 t2 t3)), 'key'] } },
    notes => {
        key     => ['id'],
        columns => {
            id      => ['integer', $number->(12), 'key'],
            lead_id => ['integer', $null_or->($number->(9)), 'link'],
            body    => ['text', $text->(qw(b1 b2 b3))],
            at      => ['integer', $number->(9)]
        }
    },
    events => {
        key     => [qw(id kind)],
        columns => {
            id      => ['integer', $number->(9), 'key'],
            kind    => ['integer', $number->(3), 'key'],
            lead_id => ['integer', $null_or->($number->(9)), 'link'],
            n       => ['integer', $number->(4)]
        }
    });
our @TABLE_NAMES = sort keys %TABLES;

sub schema_ddl
{
    return (
        'CREATE SCHEMA hot',
        q{CREATE COLLATION hot.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)},
        'CREATE TABLE regions (id integer PRIMARY KEY, name text)',
        'CREATE TABLE customers (id integer PRIMARY KEY, region_id bigint, parent_id integer, code text COLLATE ci, name text)',
        'CREATE TABLE leads (id integer PRIMARY KEY, customer_id bigint, region_id integer, code text COLLATE ci, status text, amount numeric)',
        'CREATE TABLE tags (lead_id integer, tag text, PRIMARY KEY (lead_id, tag))',
        'CREATE TABLE notes (id integer PRIMARY KEY, lead_id integer REFERENCES leads ON DELETE CASCADE DEFERRABLE, body text, at integer)',
        'CREATE TABLE events (id integer, kind integer, lead_id integer, n integer, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind)',
        'CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1)',
        'CREATE TABLE events_2 (n integer, lead_id integer, kind integer NOT NULL, id integer NOT NULL)',
        'ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES IN (2)',
        'CREATE TABLE events_3 PARTITION OF events DEFAULT',
        'CREATE INDEX ON customers (region_id)',
        'CREATE INDEX ON leads (customer_id)',
        'CREATE INDEX ON notes (lead_id)',
        # Refreshed by the clients.
        'CREATE MATERIALIZED VIEW known AS SELECT id, region_id, code, name FROM customers',
        'CREATE UNIQUE INDEX ON known (id)',
        'CREATE MATERIALIZED VIEW busy AS SELECT lead_id, count(*) AS notes, max(at) AS latest FROM notes WHERE lead_id IS NOT NULL GROUP BY lead_id',
        'CREATE UNIQUE INDEX ON busy (lead_id)',
        # Writes of the user's own triggers, at once and at the end of the transaction.
        q{CREATE FUNCTION note_added() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE leads SET amount = 1 + mod(amount, 3) WHERE id = NEW.lead_id; RETURN NULL; END'},
        'CREATE TRIGGER note_added AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION note_added()',
        q{CREATE FUNCTION tag_added() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE customers SET name = NEW.tag FROM leads l WHERE l.id = NEW.lead_id AND l.customer_id = customers.id; RETURN NULL; END'},
        'CREATE CONSTRAINT TRIGGER tag_added AFTER INSERT ON tags DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tag_added()',
    );
}

# Rows that are there at the beginning of a round, as far as they are missing.
sub top_up
{
    my @statements;
    for my $name (qw(regions customers leads tags notes events))
    {
        my $table = $TABLES{$name};
        my @columns = sort keys %{ $table->{columns} };
        push @statements, map {
            sprintf 'INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING', $name, join(', ', @columns),
                join(', ', map { $name eq 'notes' && $_ eq 'lead_id' ? '(SELECT min(id) FROM leads)' : $table->{columns}{$_}[1]->() } @columns)
        } 1 .. 6;
    }
    return @statements;
}

# [ name, key, query, options, the one that it is made of, on_error ]
my @VIEWS = (
    [ 'one', 'id', q{SELECT id, name, region_id FROM customers WHERE name <> 'c1'} ],
    [ 'near', 'id', q{SELECT c.id, c.name FROM customers c WHERE c.region_id IN (SELECT r.id FROM regions r WHERE r.name < 'n4')} ],
    [ 'hops', 'id', q{SELECT l.id, l.status, c.name AS customer, r.name AS region,
            (SELECT count(*) FROM tags t WHERE t.lead_id = l.id) AS tags
        FROM leads l LEFT JOIN customers c ON c.id = l.customer_id LEFT JOIN regions r ON r.id = c.region_id} ],
    [ 'inner_hops', 'id', q{SELECT n.id, n.body, l.status, c.name AS customer, r.name AS region
        FROM notes n JOIN leads l ON l.id = n.lead_id JOIN customers c ON c.id = l.customer_id JOIN regions r ON r.id = c.region_id} ],
    [ 'groups', 'customer_id', q{SELECT l.customer_id, count(*) AS leads, sum(l.amount) AS amount, min(c.name) AS name
        FROM leads l LEFT JOIN customers c ON c.id = l.customer_id WHERE l.customer_id IS NOT NULL GROUP BY l.customer_id} ],
    # One table grouped by the key: with a count of its rows, and without.
    [ 'counted', 'customer_id, status', q{SELECT l.customer_id, l.status, count(*) AS leads, sum(l.region_id) AS regions, max(l.id) AS newest
        FROM leads l WHERE l.customer_id IS NOT NULL AND l.status IS NOT NULL AND l.region_id > 1 GROUP BY l.customer_id, l.status} ],
    [ 'noted', 'lead_id', q{SELECT n.lead_id, max(n.at) AS latest, min(n.body) AS least FROM notes n WHERE n.lead_id IS NOT NULL GROUP BY n.lead_id} ],
    [ 'packed', 'lead_id', q{SELECT n.lead_id, freshcrm.event_rollup('1 hour', to_timestamp(n.at * 1000), n.body) AS events
        FROM notes n WHERE n.lead_id IS NOT NULL GROUP BY n.lead_id} ],
    [ 'of_region', 'id', q{SELECT r.id, r.name, count(l.id) AS leads, sum(l.amount) AS amount, string_agg(DISTINCT c.name, ',' ORDER BY c.name) AS names
        FROM regions r LEFT JOIN customers c ON c.region_id = r.id LEFT JOIN leads l ON l.customer_id = c.id GROUP BY r.id} ],
    [ 'pairs', 'lead_id, tag', q{SELECT l.id AS lead_id, t.tag, c.name
        FROM leads l JOIN tags t ON t.lead_id = l.id JOIN customers c ON c.id = l.customer_id} ],
    [ 'neighbours', 'customer_id, lead_id', q{SELECT c.id AS customer_id, l.id AS lead_id, c.name, l.status
        FROM customers c JOIN leads l ON l.region_id = c.region_id} ],
    [ 'sublinks', 'id', q{SELECT c.id, EXISTS (SELECT FROM leads l WHERE l.customer_id = c.id AND l.status = 'open') AS open,
            NOT EXISTS (SELECT FROM notes n JOIN leads l ON l.id = n.lead_id WHERE l.customer_id = c.id) AS quiet,
            (SELECT max(n.at) FROM notes n JOIN leads l ON l.id = n.lead_id WHERE l.customer_id = c.id) AS latest,
            (SELECT r.name FROM regions r WHERE r.id = c.region_id) AS region
        FROM customers c} ],
    [ 'unite', 'kind, id', q{SELECT 'c' AS kind, c.id, c.name, r.name AS of FROM customers c LEFT JOIN regions r ON r.id = c.region_id
        UNION ALL SELECT 'l', l.id, l.status, c.name FROM leads l LEFT JOIN customers c ON c.id = l.customer_id} ],
    [ 'family', 'id', q{SELECT c.id, c.name, p.name AS parent, g.name AS grandparent, (SELECT count(*) FROM customers k WHERE k.parent_id = c.id) AS children
        FROM customers c LEFT JOIN customers p ON p.id = c.parent_id LEFT JOIN customers g ON g.id = p.parent_id} ],
    [ 'codes', 'id', q{SELECT l.id, (SELECT string_agg(c.name, ',' ORDER BY c.id) FROM customers c WHERE c.code = l.code) AS names FROM leads l} ],
    [ 'amounts', 'id', q{SELECT l.id, r.name FROM leads l LEFT JOIN regions r ON r.id::numeric = l.amount} ],
    [ 'parts', 'lead_id, kind', q{SELECT e.lead_id, e.kind, count(*) AS events, sum(e.n) AS n, min(l.status) AS status
        FROM events e LEFT JOIN leads l ON l.id = e.lead_id WHERE e.lead_id IS NOT NULL GROUP BY e.lead_id, e.kind} ],
    [ 'mapped', 'id', q{SELECT l.id, l.amount, (SELECT count(*) FROM events e WHERE e.n < l.amount) AS below FROM leads l},
        q{{"mapping": {"hot.events": "SELECT l.id FROM changed e JOIN hot.leads l ON e.n < l.amount"}}} ],
    [ 'whole', 'id', q{SELECT c.id, c.name, (SELECT max(e.n) FROM events e WHERE e.n > c.id) AS most FROM customers c}, q{{"full": ["hot.events"]}} ],
    [ 'by_status', 'status', q{SELECT h.status, count(*) AS leads, sum(h.tags) AS tags, string_agg(h.region, ',' ORDER BY h.id) AS regions
        FROM hops_hot h WHERE h.status IS NOT NULL GROUP BY h.status}, undef, 'hops' ],
    # Over materialized views: in the middle of a path, with the key, as the other side of a group.
    [ 'of_known', 'id', q{SELECT l.id, l.status, k.name, k.code, r.name AS region
        FROM leads l LEFT JOIN known k ON k.id = l.customer_id LEFT JOIN regions r ON r.id = k.region_id} ],
    [ 'known_groups', 'id', q{SELECT k.id, k.name, count(l.id) AS leads, sum(l.amount) AS amount
        FROM known k LEFT JOIN leads l ON l.customer_id = k.id GROUP BY k.id, k.name} ],
    [ 'busy_regions', 'lead_id', q{SELECT b.lead_id, b.notes, l.status, k.name
        FROM busy b LEFT JOIN leads l ON l.id = b.lead_id LEFT JOIN known k ON k.region_id = l.region_id AND k.id = b.latest} ],
    # Fails for some amounts.
    [ 'fragile', 'id', q{SELECT l.id, l.status, 100 / (l.amount::integer - 2) AS share, c.name
        FROM leads l LEFT JOIN customers c ON c.id = l.customer_id}, undef, undef, 'stale' ],
    [ 'with_group', 'id', q{SELECT l.id, l.status, g.leads, g.name FROM leads l LEFT JOIN groups_hot g ON g.customer_id = l.customer_id}, undef, 'groups' ],
);
my %VIEW = map { $_->[0] => $_ } @VIEWS;

my @MODES = qw(immediate commit async);

sub view_ddl
{
    my ($view, $mode, $name) = @_;
    my ($usual, $key, $query, $options, undef, $on_error) = @$view;
    $name //= $usual;
    return ("CREATE VIEW $name AS $query",
        sprintf(q{SELECT freshcrm.create_projection('hot.%s', '{%s}', mode => '%s', on_error => '%s', options => '%s')},
        $name, $key =~ tr/ //dr, $mode, $on_error // 'abort', $options // '{}'),
        "SELECT random.keep_collections('hot.${name}_hot')");
}

# A random part of them, since with all of them most transactions would end in deadlocks; those that
# are made of others come after these. All are of one mode, or each of another; in some rounds they
# change. Returns { names, mode, may_fail } and DDL.
sub choose_views
{
    my ($count, $mode, @wanted) = @_;
    my @chosen = @wanted ? map { $VIEW{$_} // die "there is no view \"$_\", only ", join(' ', map { $_->[0] } @VIEWS), "\n" } @wanted : some($count, @VIEWS);
    my %chosen = map { $_->[0] => 1 } map { $_->[4] ? ($VIEW{ $_->[4] }, $_) : $_ } @chosen;
    my @views = grep { $chosen{ $_->[0] } } @VIEWS;
    $mode //= pick(@MODES, 'mixed');
    my $views = { names => [ map { $_->[0] } @views ], mode => $mode, may_fail => { map { $_->[0] => 1 } grep { $_->[5] } @views } };
    return ($views, map { view_ddl($_, $mode eq 'mixed' ? pick(@MODES) : $mode) } @views);
}

# DDL of one that comes and goes beside the load.
sub spare_view { return view_ddl(pick(grep { !$_->[4] && !$_->[5] } @VIEWS), pick(@MODES), 'spare'); }

# What changes the mode of one of them.
sub alter_ddl { my ($view) = @_; return "SELECT freshcrm.alter_projection('hot.${view}_hot', mode => '" . pick(@MODES) . "')"; }

# What removes the causes of all failures.
sub mend_ddl { return 'UPDATE leads SET amount = 1 WHERE amount::integer = 2'; }

1;
