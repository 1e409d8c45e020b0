# shellcheck shell=bash
# A private PostgreSQL in a temporary directory; sourced from the top of the checkout.
#
#   private_installation [DIRECTORY…]   builds freshcrm (and makes the directories), then $private:
#                                       a copy of PostgreSQL with freshcrm in it, and of the tests;
#                                       goes there
#   private_server [SETTING…]           starts a server of it and tells psql where it is
#   run COMMAND…                        runs a command that ends when the script ends
#   as_user COMMAND…                    runs one in the foreground, for a terminal
#
# Nothing outside $private changes but what make builds in the checkout. However the script ends,
# the servers are stopped and $private is removed. As root, everything but make runs as an
# unprivileged user, as PostgreSQL demands.

umask 022
pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
[ -n "${PG_CONFIG:-}" ] || [ -x "$pg_config" ] || pg_config=$(command -v pg_config)
unset "${!PG@}" LANGUAGE
export LC_ALL=C.UTF-8 PG_CONFIG=$pg_config

private=
user=$(id -un)
drop_root=()
if [ "$(id -u)" -eq 0 ]; then
    user=postgres
    id "$user" > /dev/null 2>&1 || user=nobody
    drop_root=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
fi

as_user() {
    env HOME="$private" TMPDIR="$private/tmp" "${drop_root[@]}" "$@"
}

# Waits in the background, so that a signal to this script is acted on at once; in a session of its
# own, so that all that the command started can be ended together.
run() {
    setsid env HOME="$private" TMPDIR="$private/tmp" "${drop_root[@]}" "$@" < /dev/null &
    wait $!
}

run_as_caller() {
    setsid "$@" < /dev/null &
    wait $!
}

die() {
    echo "$@" >&2
    exit 1
}

# private_processes [PROGRAM]: those that run a program of $private.
private_processes() {
    find /proc/[0-9]*/exe -maxdepth 0 -lname "$private/*${1:-}" 2> /dev/null | grep -o '[0-9]*'
}

# Fails when some is left after 10 seconds.
signal_private() {
    # shellcheck disable=SC2046
    kill "-$1" $(private_processes) 2> /dev/null
    for _ in {1..100}; do
        [ -n "$(private_processes)" ] || return 0
        sleep 0.1
    done
    return 1
}

private_end() {
    local job
    trap '' HUP INT PIPE TERM
    set +e
    for job in $(jobs -p); do
        kill -TERM -- "-$job" "$job" 2> /dev/null
    done
    while [ -n "$(private_processes bin/initdb.real)" ]; do
        sleep 0.1
    done
    # To a server: a fast shutdown, then an immediate one.
    signal_private INT || signal_private QUIT || signal_private KILL
    for job in $(jobs -p); do
        kill -KILL -- "-$job" 2> /dev/null
    done
    wait
    rm -rf "$private"
}

# Makes $private where the unprivileged user can reach it and where the path of a socket, of at most
# 107 bytes, has room.
make_private_directory() {
    local base
    trap private_end EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    for base in "${TMPDIR:-/tmp}" /tmp; do
        [[ $base =~ ^/[A-Za-z0-9/._-]{1,50}$ ]] || continue
        private=$(mktemp -d "$base/freshcrm.XXXXXX") || continue
        mkdir "$private/tmp" "$private/socket" "$private/out"
        chown -R "$user" "$private"
        ! as_user test -w "$private/tmp" || return 0
        rm -rf "$private"
    done
    die "user $user needs a temporary directory with a short and plain path: set TMPDIR to one"
}

# link_all DIRECTORY [EXCEPT]: freshcrm itself, when the system has it, stays out: installing into
# the copy would write through its links.
link_all() {
    find "$1" -mindepth 1 -maxdepth 1 ! -name "${2:-}" ! -name 'freshcrm*' \
        -exec ln -s -t "$private$1" {} +
}

# A server finds its libraries and extensions relative to its own executable, so that copies of the
# programs with links to the rest are an installation of their own.
copy_postgresql() {
    local bin lib share
    bin=$("$pg_config" --bindir) lib=$("$pg_config" --pkglibdir) share=$("$pg_config" --sharedir)
    mkdir -p "$private$bin" "$private$lib/bitcode" "$private$share/extension"
    cp "$bin"/{postgres,initdb,psql,createdb,dropdb,vacuumdb,pgbench,pg_*} "$private$bin"
    # Ended half-way, initdb would leave shared memory behind: it is out of reach of signals to the
    # command that runs it, and private_end waits for it. Its own name is what pg_upgrade asks it for.
    mv "$private$bin/initdb" "$private$bin/initdb.real"
    printf '#!/bin/bash\nexec setsid --wait bash -c '\''exec -a "$0" "$0.real" "$@"'\'' "%s" "$@"\n' \
        "$private$bin/initdb" > "$private$bin/initdb"
    chmod +x "$private$bin/initdb"
    link_all "$lib" bitcode
    [ ! -d "$lib/bitcode" ] || link_all "$lib/bitcode"
    link_all "$share" extension
    link_all "$share/extension"
    (cd "$private" && as_user "$private$bin/postgres" --version > /dev/null) ||
        die "programs cannot run in $private: set TMPDIR to a directory where they can"
    PATH=$private$bin:$PATH
}

build() {
    run_as_caller make --no-print-directory "$@" >> "$private/out/build" 2>&1 || {
        cat "$private/out/build" >&2
        die "make $* failed"
    }
}

private_installation() {
    local directory
    make_private_directory
    copy_postgresql
    # Another run may be building in this checkout.
    exec 9< Makefile
    run_as_caller flock 9
    build "-j$(nproc)" all
    build install "DESTDIR=$private"
    for directory in "$@"; do
        [ ! -e "$directory/Makefile" ] || build "-j$(nproc)" -C "$directory"
    done
    mkdir -p "$private/expected"
    cp -R test expected "$private"
    exec 9<&-
    chown -hR "$user" "$private/test" "$private/expected"
    cd "$private" || exit  # the server's programs need a directory that the user can enter
}

private_server() {
    run initdb -D "$private/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        > "$private/out/initdb" 2>&1 || {
        cat "$private/out/initdb" >&2
        die "no private server: initdb failed"
    }
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$private/socket'" \
        "fsync = off" "timezone = 'UTC'" "$@" >> "$private/data/postgresql.conf"
    run pg_ctl -D "$private/data" -l "$private/out/server.log" -s -w start || {
        cat "$private/out/server.log" >&2
        die "no private server: it does not start"
    }
    export PGHOST=$private/socket PGUSER=postgres
}
