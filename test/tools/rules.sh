# shellcheck shell=bash
# The variable `private` is private-server.sh's.
# shellcheck disable=SC2154
# The project's own rules, for lint. Each prints what breaks it, as "file:line: why".

# Core knows nothing of the server; pg knows core; a capability knows both, and of the other
# capabilities only etag's row digest and which tables changed; conditional requests lock rows of projections.
rule_include_direction() {
    local file line text path from
    grep -rnE '^[[:space:]]*#[[:space:]]*include' src --include='*.[ch]pp' |
        while IFS=: read -r file line text; do
            path=$(sed -E 's/^[^"<]*["<]([^">]*)[">].*/\1/' <<< "$text")
            from=${file#src/} from=${from%%/*}
            [[ $file == src/*/* ]] || continue  # the module itself starts every capability
            if [ "$from" = core ] && { [[ $path == postgres.h || $path == pg/* ]] ||
                [[ $text == *\"*\"* && $path != core/* ]]; }; then
                echo "$file:$line: src/core is pure C++ and includes only core/: $path"
            elif [ ! -e "src/$path" ]; then
                [ ! -e "$(dirname "$file")/$path" ] ||
                    echo "$file:$line: a header of ours is included by its path from src: $path"
            elif [ "$from" = pg ]; then
                [[ $path == pg/* || $path == core/* ]] ||
                    echo "$file:$line: src/pg includes only pg/ and core/: $path"
            else
                [[ $path == pg/* || $path == core/* || $path == "$from"/* || $path == watch/* || $path == etag/row_digest.hpp ||
                    "$from $path" == "conditional projection/row_tag.hpp" ]] ||
                    echo "$file:$line: capabilities do not include each other: $path"
            fi
        done
}

rule_sql_entries() {
    grep -rnE '(FRESHCRM_FUNCTION|PG_FUNCTION_INFO_V1)\(' src --include='*.[ch]pp' |
        grep -vE '^src/pg/entry\.hpp:|^src/[a-z_]+/[a-z_]+_sql\.cpp:[0-9]+:FRESHCRM_FUNCTION' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: functions for SQL are FRESHCRM_FUNCTION in a file NAME_sql.cpp/'
}

rule_sql_parts() {
    local parts file
    parts=" $(make -s --no-print-directory print-SQL_PARTS) "
    find sql -name '*.sql' ! -name 'freshcrm--*' | sort | while read -r file; do
        [[ $parts == *" $file "* ]] || echo "$file:1: is not in SQL_PARTS of the Makefile"
    done
}

# Databases of other encodings than UTF-8 take the install script as it is.
rule_sql_ascii() {
    LC_ALL=C.UTF-8 grep -rnP '[^\x00-\x7F]' sql --include='*.sql' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: CREATE EXTENSION fails on what is not ASCII where the encoding is another/'
}

# same_names FOLDER SUFFIX FOLDER SUFFIX WHY: a file of the first without its twin in the second.
# pg_regress takes NAME_1.out and so on as alternatives of NAME.out.
same_names() {
    local file name
    for file in "$1"/*"$2"; do
        [ -e "$file" ] || continue
        name=$(basename "$file" "$2")
        [ -e "$3/$name$4" ] || [ -e "$3/${name%_[0-9]}$4" ] || echo "$file:1: $5"
    done
}

rule_expected_output() {
    same_names test/sql .sql expected .out "the test has no output in expected/"
    same_names expected .out test/sql .sql "there is no such test in test/sql/"
    same_names test/isolation/specs .spec test/isolation/expected .out \
        "the spec has no output in test/isolation/expected/"
    same_names test/isolation/expected .out test/isolation/specs .spec "there is no such spec"
}

rule_meta_json() {
    perl -MJSON::PP -e '
        local $/;
        my $meta = eval { decode_json(<STDIN>) } or print("META.json:1: $@"), exit;
        my @needed = qw(abstract license maintainer meta-spec name provides version);
        print "META.json:1: PGXN demands the key $_\n" for grep { !$meta->{$_} } @needed;
        for my $extension (values %{$meta->{provides}}) {
            print "META.json:1: PGXN demands provides/$_\n" for grep { !$extension->{$_} } qw(file version);
        }' < META.json
}

rule_scripts() {
    local file
    for file in test/tools/* bench/run bench/etags bench/scores bench/stats bench/refresh bench/lib.sh .ci/run; do
        bash -n "$file" 2>&1 | sed -E 's/: line ([0-9]+)/:\1/'
    done
}

exported() {
    nm -D --defined-only freshcrm.so | awk '{ print $3 }'
}

rule_exported_symbols() {
    exported | grep -vxE '(pg_finfo_)?freshcrm_[a-z0-9_]+|Pg_magic_func|_PG_init' |
        sed 's/^/freshcrm.so:1: only what the server looks up may be exported: /'
}

rule_c_functions() {
    local file line symbol named symbols
    symbols=$(exported)
    named=$(grep -rnoE "'MODULE_PATHNAME', *'[a-z0-9_]+'" sql --include='*.sql' --exclude='freshcrm--*' |
        sed -E "s/:'MODULE_PATHNAME', *'([a-z0-9_]+)'/:\\1/")
    while IFS=: read -r file line symbol; do
        grep -qxF "$symbol" <<< "$symbols" || echo "$file:$line: freshcrm.so has no function $symbol"
    done <<< "$named"
    # The server starts background workers by name.
    for symbol in $(grep '^freshcrm_' <<< "$symbols" | grep -v '_worker$'); do
        grep -q ":$symbol\$" <<< "$named" ||
            echo "$(grep -rn "FRESHCRM_FUNCTION($symbol)" src | cut -d: -f1,2): no SQL function uses $symbol"
    done
}

# The rules below ask a server in which the extension is created: query SQL.
query() {
    (cd "$private" && as_user psql -X -q -At -v ON_ERROR_STOP=1 -c "$1")
}

members="pg_depend AS member JOIN pg_extension AS extension
    ON extname = 'freshcrm' AND refclassid = 'pg_extension'::regclass AND refobjid = extension.oid
   AND deptype = 'e'"

# where TEXT: the first place of the SQL sources that matches.
where() {
    grep -rnE "$1" sql --include='*.sql' --exclude='freshcrm--*' | sed -E 's/^([^:]*:[0-9]+):.*/\1/;q'
}

# report WHY: for each name read, where it is created.
report() {
    local name
    while read -r name; do
        echo "$(where "CREATE .*[ .]$name\>"): $name $1"
    done
}

rule_comments() {
    query "SELECT regexp_replace(name, '.*\.', '') FROM $members,
        pg_identify_object_as_address(classid, objid, objsubid) AS a (type, names, args),
        LATERAL (SELECT names[array_upper(names, 1)] AS name) AS n
        WHERE classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_event_trigger'::regclass)
          AND type <> 'sequence' AND obj_description(objid, classid::regclass::name) IS NULL" |
        report "has no COMMENT"
}

rule_security_definer() {
    local file line
    query "SELECT proname FROM $members JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND objid = p.oid
        WHERE prosecdef AND NOT coalesce(proconfig, '{}')::text ~ '[{,\"]search_path='" |
        report "is SECURITY DEFINER and does not pin its search_path"
    # What a function of ours creates in the user's schema is no member of the extension.
    grep -rn 'SECURITY DEFINER' sql --include='*.sql' --exclude='freshcrm--*' |
        while IFS=: read -r file line _; do
            sed -n "$((line > 3 ? line - 3 : 1)),$((line + 3))p" "$file" | grep -qi 'SET search_path' ||
                echo "$file:$line: SECURITY DEFINER without SET search_path beside it"
        done
}

# Functions of their arguments and of what the caller may read anyway, and the trigger functions, which only who
# may create triggers on a table can use; every other function is for those whom it is granted to.
public_functions="'etag', 'row_etag', 'etag_agg', 'etag_set', 'sha256_hex', 'collection_etag', 'capture', 'guard_target', 'flush', 'wait_for', 'applied', 'crm_mapped_columns', 'crm_cockpit_query'"
public_functions+=", 'crm_fill', 'crm_check_comparable', 'crm_hot_leads_query', 'crm_rlhf_query', 'crm_template_query',
    'explain_rpc', 'explain_rpc_with'"
public_functions+=", 'conditional', 'check_match', 'raise_response', 'header_fields', 'set_http', 'count_response', 'respond',
    'text_settings', 'member_names', 'page_etag', 'requested_projection', 'answer_request', 'pre_request', 'scope_condition', 'conditional_get'"
public_functions+=", 'lead_event_stats', 'event_stats'"
public_functions+=", 'lead_score', 'p_score', 'engagement_score'"
public_functions+=", 'event_rollup', 'event_rollup_add', 'event_rollup_remove', 'event_rollup_merge', 'event_rollup_stats', 'event_rollup_stats_agg',
    'event_rollup_cut', 'event_rollup_edge', 'event_rollup_readable', 'check_cutoffs'"
public_functions+=", 'next_runs'"
public_functions+=", 'note_change', 'watch_problem'"

rule_public_functions() {
    query "SELECT proname FROM $members JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND objid = p.oid
        WHERE has_function_privilege('public', p.oid, 'EXECUTE') AND proname NOT IN ($public_functions)" |
        report "may be executed by PUBLIC and is not in the list of test/tools/rules.sh"
}
