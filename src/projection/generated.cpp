#include "projection/generated.hpp"

extern "C" {
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
}

namespace freshcrm::projection {

Expr* GenerationOf(Oid relid, AttrNumber attnum) {
    if (get_attgenerated(relid, attnum) != ATTRIBUTE_GENERATED_STORED ||
        (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE && !get_rel_relispartition(relid))) {
        return nullptr;
    }
    Relation relation = table_open(relid, AccessShareLock);
    Node* expression = build_column_default(relation, attnum);
    table_close(relation, NoLock);
    return reinterpret_cast<Expr*>(expression);
}

Bitmapset* AddWithOrigin(Bitmapset* columns, Oid relid, AttrNumber attnum) {
    columns = bms_add_member(columns, attnum);
    Bitmapset* origin = nullptr;
    pull_varattnos(reinterpret_cast<Node*>(GenerationOf(relid, attnum)), 1, &origin);
    for (int i = -1; (i = bms_next_member(origin, i)) >= 0;) {
        columns = bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
    }
    return columns;
}

}  // namespace freshcrm::projection
