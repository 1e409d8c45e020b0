#include "refresh/watched.hpp"

#include "pg/names.hpp"
#include "watch/watching.hpp"

extern "C" {
#include "catalog/pg_class.h"
}

namespace freshcrm::refresh {

Watch WatchOf(Oid relid, Oid owner) {
    if (get_rel_relkind(relid) == RELKIND_MATVIEW) {
        return {};
    }
    const char* problem = watch::WatchProblem(relid);
    if (problem == nullptr) {
        return {};
    }
    const char* name = pg::QualifiedRelation(relid);
    if (watch::MayWatch(relid, owner)) {
        return {problem, psprintf("SELECT freshcrm.watch_table(%s);", quote_literal_cstr(name))};
    }
    return {problem, psprintf("GRANT TRIGGER ON %s TO %s;", name,
                              quote_identifier(GetUserNameFromId(owner, false)))};
}

}  // namespace freshcrm::refresh
