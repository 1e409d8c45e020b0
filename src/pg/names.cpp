#include "pg/names.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace freshcrm::pg {

const char* QualifiedRelation(Oid relid) {
    const char* name = get_rel_name(relid);
    if (name == nullptr) {
        elog(ERROR, "cache lookup failed for relation %u", relid);
    }
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

const char* QuotedColumn(Oid relid, AttrNumber attnum) {
    return quote_identifier(get_attname(relid, attnum, false));
}

const char* QualifiedOperator(Oid opno) {
    HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for operator %u", opno);
    }
    const auto* form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
    const char* text =
        psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
                 NameStr(form->oprname));
    ReleaseSysCache(tuple);
    return text;
}

const char* QualifiedType(Oid type, int32 typmod) {
    // Without "given", a type of no length such as bpchar would be written character, which is one
    // of length 1.
    return format_type_extended(type, typmod,
                                FORMAT_TYPE_FORCE_QUALIFY | FORMAT_TYPE_TYPEMOD_GIVEN);
}

Oid OwnerOfRelation(Oid relid) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(tuple)) {
        return InvalidOid;
    }
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

const char* RelationForMessage(Oid relid) {
    const char* name = get_rel_name(relid);
    if (name == nullptr) {
        return psprintf("%u", relid);
    }
    return psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), name);
}

TypeEquality EqualityOfType(Oid type) {
    const Oid equality = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
    Oid left;
    Oid right;
    op_input_types(equality, &left, &right);
    const bool exact = left == type || IsPolymorphicType(left) || left == RECORDOID;
    return {QualifiedOperator(equality), exact ? "" : psprintf("::%s", QualifiedType(left, -1))};
}

}  // namespace freshcrm::pg
