#include "refresh/view_query.hpp"

#include "pg/names.hpp"

extern "C" {
#include "rewrite/prs2lock.h"
}

namespace freshcrm::refresh {

Query* QueryOf(Relation view) {
    const RuleLock* rules = view->rd_rules;
    for (int i = 0; rules != nullptr && i < rules->numLocks; ++i) {
        const RewriteRule* rule = rules->rules[i];
        if (rule->event == CMD_SELECT && list_length(rule->actions) == 1) {
            return static_cast<Query*>(copyObjectImpl(linitial(rule->actions)));
        }
    }
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT),
             errmsg("view %s has no query", pg::RelationForMessage(RelationGetRelid(view)))));
    pg_unreachable();
}

}  // namespace freshcrm::refresh
