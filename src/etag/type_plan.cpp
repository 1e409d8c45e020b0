#include "etag/type_plan.hpp"

#include <cstring>

#include "pg/error.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "utils/syscache.h"
}

namespace freshcrm::etag {

namespace {

std::string_view CopyName(const char* name, const char* suffix, MemoryContext keep) {
    const std::size_t size = std::strlen(name) + std::strlen(suffix);
    char* copy = static_cast<char*>(MemoryContextAlloc(keep, size + 1));
    strcat(strcpy(copy, name), suffix);
    return {copy, size};
}

// The kind of a built-in type that is not found out from its catalog row.
Kind BuiltinKind(Oid type) {
    switch (type) {
        case BOOLOID:
        case CHAROID:
            return Kind::kInteger1;
        case INT2OID:
            return Kind::kInteger2;
        case INT4OID:
        case OIDOID:
        case DATEOID:
            return Kind::kInteger4;
        case INT8OID:
        case MONEYOID:
        case TIMEOID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return Kind::kInteger8;
        case FLOAT4OID:
            return Kind::kFloat4;
        case FLOAT8OID:
            return Kind::kFloat8;
        case NUMERICOID:
            return Kind::kNumeric;
        case UUIDOID:
            return Kind::kUuid;
        case BYTEAOID:
            return Kind::kBytes;
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case JSONOID:
            return Kind::kText;
        case RECORDOID:
            return Kind::kRecord;
        default:
            return Kind::kSend;
    }
}

// The catalog that a reg* type points into, or InvalidOid for every other type.
Oid ObjectClass(Oid type) {
    switch (type) {
        case REGCLASSOID:
            return RelationRelationId;
        case REGTYPEOID:
            return TypeRelationId;
        case REGPROCOID:
        case REGPROCEDUREOID:
            return ProcedureRelationId;
        case REGOPEROID:
        case REGOPERATOROID:
            return OperatorRelationId;
        case REGROLEOID:
            return AuthIdRelationId;
        case REGNAMESPACEOID:
            return NamespaceRelationId;
        case REGCOLLATIONOID:
            return CollationRelationId;
        case REGCONFIGOID:
            return TSConfigRelationId;
        case REGDICTIONARYOID:
            return TSDictionaryRelationId;
        default:
            return InvalidOid;
    }
}

Kind KindOf(Oid type, char typtype) {
    if (const Kind builtin = BuiltinKind(type); builtin != Kind::kSend) {
        return builtin;
    }
    if (OidIsValid(ObjectClass(type))) {
        return Kind::kObject;
    }
    if (OidIsValid(get_element_type(type))) {
        return Kind::kArray;
    }
    switch (typtype) {
        case TYPTYPE_COMPOSITE:
            return Kind::kRecord;
        case TYPTYPE_RANGE:
            return Kind::kRange;
        case TYPTYPE_MULTIRANGE:
            return Kind::kMultirange;
        default:
            return Kind::kSend;
    }
}

void SetSendFunction(TypePlan* plan, Oid type, const FormData_pg_type& form, MemoryContext keep) {
    // The pseudo-types that have one (anyarray, cstring, void) do not say what the value is.
    if (!OidIsValid(form.typsend) || form.typtype == TYPTYPE_PSEUDO) {
        const char* name = format_type_be(type);
        throw pg::Error(ERRCODE_FEATURE_NOT_SUPPORTED,
                        std::string("cannot compute an entity tag over type ") + name)
            .Detail("The type has no binary form that means the same in every database.")
            .Hint("Cast the value to text, or leave the column out.");
    }
    fmgr_info_cxt(form.typsend, &plan->send, keep);
}

}  // namespace

TypePlan* MakeTypePlan(Oid type, MemoryContext keep) {
    check_stack_depth();
    auto* plan = static_cast<TypePlan*>(MemoryContextAllocZero(keep, sizeof(TypePlan)));
    if (type == UNKNOWNOID) {
        plan->kind = Kind::kUnknown;
        plan->type = "text";
        return plan;
    }
    const Oid base = getBaseType(type);
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base));
    if (!HeapTupleIsValid(tuple)) {
        throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "type of a column no longer exists");
    }
    const FormData_pg_type form = *reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    ReleaseSysCache(tuple);

    plan->length = form.typlen;
    plan->by_value = form.typbyval;
    plan->align = form.typalign;
    plan->kind = KindOf(base, form.typtype);
    plan->type = plan->kind == Kind::kRecord ? "record" : CopyName(NameStr(form.typname), "", keep);
    switch (plan->kind) {
        case Kind::kObject:
            plan->object_class = ObjectClass(base);
            break;
        case Kind::kArray:
            plan->part = MakeTypePlan(get_element_type(base), keep);
            // The element's name, as the array type's own name is not stable.
            plan->type = CopyName(plan->part->type.name().data(), "[]", keep);
            break;
        case Kind::kRecord:
            plan->record = MakeRecordPlan(keep);
            break;
        case Kind::kRange:
            plan->range_cache = lookup_type_cache(base, TYPECACHE_RANGE_INFO);
            plan->part = MakeTypePlan(plan->range_cache->rngelemtype->type_id, keep);
            break;
        case Kind::kMultirange:
            plan->range_cache = lookup_type_cache(base, TYPECACHE_MULTIRANGE_INFO)->rngtype;
            plan->part = MakeTypePlan(plan->range_cache->type_id, keep);
            break;
        case Kind::kNumeric:  // which is sent where its form is not written directly
        case Kind::kSend:
            SetSendFunction(plan, base, form, keep);
            break;
        default:
            break;
    }
    return plan;
}

RowPlan* MakeRowPlan(TupleDesc desc, MemoryContext keep) {
    auto* plan = static_cast<RowPlan*>(MemoryContextAllocZero(keep, sizeof(RowPlan)));
    plan->attributes = desc->natts;
    plan->columns = static_cast<TypePlan**>(
        MemoryContextAllocZero(keep, sizeof(TypePlan*) * Max(desc->natts, 1)));
    for (int i = 0; i < desc->natts; i++) {
        const FormData_pg_attribute* attribute = TupleDescAttr(desc, i);
        if (!attribute->attisdropped) {
            plan->columns[i] = MakeTypePlan(attribute->atttypid, keep);
            plan->live++;
        }
    }
    return plan;
}

RecordPlan* MakeRecordPlan(MemoryContext keep) {
    auto* plan = static_cast<RecordPlan*>(MemoryContextAllocZero(keep, sizeof(RecordPlan)));
    plan->keep = AllocSetContextCreate(keep, "freshcrm record digest", ALLOCSET_SMALL_SIZES);
    return plan;
}

namespace {

void FollowType(RecordPlan* plan, Oid type, int32 typmod, uint64 identifier) {
    plan->identifier = 0;
    plan->watched = nullptr;
    MemoryContextReset(plan->keep);
    const MemoryContext caller = MemoryContextSwitchTo(plan->keep);
    plan->desc = lookup_rowtype_tupdesc_copy(type, typmod);
    plan->values = static_cast<Datum*>(palloc(sizeof(Datum) * Max(plan->desc->natts, 1)));
    plan->nulls = static_cast<bool*>(palloc(sizeof(bool) * Max(plan->desc->natts, 1)));
    MemoryContextSwitchTo(caller);
    plan->row = MakeRowPlan(plan->desc, plan->keep);
    plan->watched = type == RECORDOID ? nullptr : lookup_type_cache(type, TYPECACHE_TUPDESC);
    plan->identifier = identifier;
}

bool IsFollowed(const RecordPlan* plan, Oid type) {
    return plan->watched != nullptr && plan->watched->type_id == type &&
           plan->watched->tupDesc_identifier == plan->identifier;
}

}  // namespace

void OpenRecord(RecordPlan* plan, HeapTupleHeader record) {
    const Oid type = HeapTupleHeaderGetTypeId(record);
    if (!IsFollowed(plan, type)) {
        const int32 typmod = HeapTupleHeaderGetTypMod(record);
        const uint64 identifier = assign_record_type_identifier(type, typmod);
        if (identifier != plan->identifier) {
            FollowType(plan, type, typmod, identifier);
        }
    }
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(record);
    ItemPointerSetInvalid(&tuple.t_self);
    tuple.t_data = record;
    heap_deform_tuple(&tuple, plan->desc, plan->values, plan->nulls);
}

}  // namespace freshcrm::etag
