# shellcheck shell=bash
# The private server of `make demo` and `make shell`, with the demo's data loaded; to be sourced.
. test/tools/private-server.sh
echo "Building freshcrm and starting a private server …"
private_installation
private_server
run createdb demo
export PGDATABASE=demo
cd test/demo || exit  # the CSV files are named relative to it
run psql -X -q -v ON_ERROR_STOP=1 -f load.sql
