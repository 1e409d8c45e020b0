# shellcheck shell=bash
# The variables of private-server.sh and run.
# shellcheck disable=SC2154
# One measurement: a run of pgbench in the database of a variant, as a line of the CSV file.

header=repetition,synchronous_commit,workload,variant,clients,transactions,tps,mean_us,latency_us,p99_us
header+=,wal_bytes,updates,hot_updates,deadlocks,catch_up_ms

# sql DATABASE ARGUMENT…: bare values.
sql() {
    as_user psql -X -q -At -v ON_ERROR_STOP=1 -d "$@"
}

# Reading the base tables is done where nothing is kept.
database_of() {
    case $1 in
        live_view) echo unmaintained ;;
        *) echo "$1" ;;
    esac
}

# script_of VARIANT WORKLOAD: its own way to do it, or everybody's.
script_of() {
    local file=bench/workloads/$1/$2.sql
    [ -e "$file" ] || file=bench/workloads/$2.sql
    if [ "$1" = matview ] && [[ $2 != page_* ]]; then
        cat "$file" - <<< 'REFRESH MATERIALIZED VIEW CONCURRENTLY crm.cockpit_leads_hot;' > out/matview.sql
        file=out/matview.sql
    fi
    echo "$file"
}

# transactions_of VARIANT WORKLOAD SYNC: some tenths of a second, less where each waits for the disk.
transactions_of() {
    local n
    case $2 in
        rename900 | bulk1000) n=40 ;;
        copy) n=3 ;;
        small20) n=800 ;;
        rename4 | unrelated3) n=4000 ;;
        *) n=8000 ;;
    esac
    case $1/$2 in
        matview/page_*) ;;
        matview/*) n=1 ;;
        unmaintained/page_ordinary) n=400 ;;
        unmaintained/page_largest) n=20 ;;
        live_view/*) n=5 ;;
    esac
    [ "$3" = off ] || [ $n -lt 800 ] || n=$((n / 8))
    n=$(awk -v n=$n -v length_factor="$LENGTH" 'BEGIN { n = int(n * length_factor); print n < 1 ? 1 : n }')
    echo "$n"
}

# statistics PREFIX: mean, mean of the middle half, and 99th percentile of the latencies in pgbench's logs,
# µs. The middle half knows neither the first transactions, in which plans are made, nor what else the machine does.
statistics() {
    cat "$1".* | awk '$3 ~ /^[0-9]+$/ { print $3 }' | sort -n | awk '
        { value[NR] = $1; sum += $1 }
        END {
            from = int(NR / 4) + 1
            to = NR - int(NR / 4)
            for (i = from; i <= to; i++) middle += value[i]
            at = int(NR * 0.99 + 0.999999)
            printf "%.3f,%.3f,%d\n", sum / NR, middle / (to - from + 1), value[at < 1 ? 1 : at]
        }'
}

# What a worker does after the commits belongs to the run. Its counters are there once it has gone.
catch_up() {
    local begin=${EPOCHREALTIME/./}
    [ "$(sql "$1" -c "SELECT freshcrm.wait_for('crm.cockpit_leads_hot', '1 hour')")" = t ] ||
        die "the worker of $1 does not catch up"
    echo $(((${EPOCHREALTIME/./} - begin) / 1000))
    until [ "$(sql "$1" -c "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type LIKE 'freshcrm%'")" = 0 ]; do
        sleep 0.1
    done
}

# measure REPETITION SYNC WORKLOAD VARIANT CLIENTS AMOUNT: the amount as pgbench is told it, -t or -T.
measure() {
    local database output before after late=0 status=0 i
    database=$(database_of "$4")
    sql "$database" -f bench/sql/before.sql
    rm -f out/log.*
    IFS='|' read -ra before <<< "$(sql "$database" -f bench/sql/counters.sql)"
    PGOPTIONS="-c synchronous_commit=$2" run pgbench -n -M prepared -c "$5" -j "$(($5 < 2 ? 1 : 2))" "${@:6}" \
        --random-seed="$1" --max-tries=1000 -l --log-prefix=out/log "${variables[@]}" -f "$(script_of "$4" "$3")" \
        "$database" > out/pgbench 2>&1 || status=$?
    output=$(cat out/pgbench)
    if [ $status -ne 0 ] || ! grep -q '^number of failed transactions: 0 ' out/pgbench; then
        die "pgbench failed for $3, $4:"$'\n'"$output"
    fi
    [ "$4" != freshcrm_async ] || late=$(catch_up "$database")
    IFS='|' read -ra after <<< "$(sql "$database" -f bench/sql/counters.sql)"
    for i in "${!after[@]}"; do
        after[i]=$((after[i] - before[i]))
    done
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$1" "$2" "$3" "$4" "$5" \
        "$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' <<< "$output")" \
        "$(sed -nE 's/^tps = ([0-9.]+) .*/\1/p' <<< "$output")" "$(statistics out/log)" "${after[@]}" "$late" >> "$csv"
}

# A variant that is wrong is not fast.
check_variant() {
    local differences
    [ "$1" != unmaintained ] || return 0
    [ "$1" != freshcrm_async ] || catch_up "$1" > /dev/null
    differences=$(sql "$1" -f bench/sql/compare.sql)
    [ "$differences" = 0 ] || die "$1: $differences rows of the hot table differ from the view"
    [[ $1 != freshcrm_* ]] ||
        [ "$(sql "$1" -c "SELECT count(*) FROM freshcrm.verify_projection('crm.cockpit_leads_hot')")" = 0 ] ||
        die "$1: verify_projection finds differences"
}
