#include "conditional/member_names.hpp"

extern "C" {
#include "access/relation.h"
#include "utils/typcache.h"
}

namespace freshcrm::conditional {

namespace {

void AddNames(TupleDesc desc, List** names);

// Ranges are sent as text, in which no names are.
void AddNamesIn(Oid type, List** names) {
    check_stack_depth();
    type = getBaseType(type);
    const Oid element = get_element_type(type);
    if (OidIsValid(element)) {
        AddNamesIn(element, names);
    } else if (get_typtype(type) == TYPTYPE_COMPOSITE) {
        TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
        AddNames(desc, names);
        FreeTupleDesc(desc);
        *names = lappend(*names, pstrdup(""));
    }
}

void AddNames(TupleDesc desc, List** names) {
    for (int i = 0; i < desc->natts; ++i) {
        const FormData_pg_attribute* column = TupleDescAttr(desc, i);
        if (!column->attisdropped) {
            *names = lappend(*names, pstrdup(NameStr(column->attname)));
            AddNamesIn(column->atttypid, names);
        }
    }
}

}  // namespace

List* MemberNames(Oid relid) {
    List* names = NIL;
    Relation relation = relation_open(relid, AccessShareLock);
    AddNames(RelationGetDescr(relation), &names);
    relation_close(relation, AccessShareLock);
    return names;
}

}  // namespace freshcrm::conditional
