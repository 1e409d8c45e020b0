#include "projection/key_argument.hpp"

#include "pg/join.hpp"
#include "pg/json.hpp"

extern "C" {
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

bool IsPlain(Oid type) {
    switch (type) {
        case UNKNOWNOID:
        case TEXTOID:
        case VARCHAROID:
        case INT2OID:
        case INT4OID:
        case INT8OID:
            return true;
        default:
            return false;
    }
}

Datum Parse(const Key& key, char* text) {
    Oid input;
    Oid parameter;
    getTypeInputInfo(key.type, &input, &parameter);
    return OidInputFunctionCall(input, text, parameter, -1);
}

// Through its text where it is of another type.
Datum Convert(const Projection* projection, const Key& key, Oid type, Datum value) {
    if (type == key.type || getBaseType(type) == getBaseType(key.type)) {
        return value;
    }
    if (!IsPlain(type)) {
        RaiseKeyType(projection, projection->key_count > 1 ? RECORDOID : type, false);
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    return Parse(key, OidOutputFunctionCall(output, value));
}

// Null for JSON's null.
char* TextOf(const JsonbValue& value) {
    char* text;
    if (!pg::ReadScalar(value, &text)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a column of a key must be a string, a number, true or false"),
                        errhint("Give the text of the value as a string.")));
    }
    return text;
}

[[noreturn]] void RaiseMembers(const Projection* projection) {
    const char* names = pg::Join(projection->key_count, ", ", [&](int i) {
        return psprintf("\"%s\"", projection->keys[i].name);
    });
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the key is not one of projection %s", projection->name),
                    errdetail("An object must have exactly the members %s.", names)));
    pg_unreachable();
}

bool ReadObject(const Projection* projection, Jsonb* object, Datum* key) {
    if (!JB_ROOT_IS_OBJECT(object) ||
        JB_ROOT_COUNT(object) != static_cast<uint32>(projection->key_count)) {
        RaiseMembers(projection);
    }
    for (int i = 0; i < projection->key_count; ++i) {
        const char* name = projection->keys[i].name;
        const JsonbValue* value = getKeyJsonValueFromContainer(
            &object->root, name, static_cast<int>(strlen(name)), nullptr);
        if (value == nullptr) {
            RaiseMembers(projection);
        }
        char* text = TextOf(*value);
        if (text == nullptr) {
            return false;
        }
        key[i] = Parse(projection->keys[i], text);
    }
    return true;
}

// `exact`: of columns of exactly the types of the key's.
bool ReadRecord(const Projection* projection, Datum record, bool exact, Datum* key) {
    HeapTupleHeader header = DatumGetHeapTupleHeader(record);
    TupleDesc desc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header),
                                                 HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    for (int i = 0; i < projection->key_count; ++i) {
        const Key& column = projection->keys[i];
        if (desc->natts != projection->key_count ||
            (exact && TupleDescAttr(desc, i)->atttypid != column.type)) {
            RaiseKeyType(projection, RECORDOID, exact);
        }
        bool isnull;
        key[i] = heap_getattr(&tuple, i + 1, desc, &isnull);
        if (isnull) {
            return false;
        }
        key[i] = Convert(projection, column, TupleDescAttr(desc, i)->atttypid, key[i]);
    }
    return true;
}

}  // namespace

void RaiseKeyType(const Projection* projection, Oid given, bool array) {
    const bool composite = projection->key_count > 1;
    const char* type = composite ? "record" : format_type_be(projection->keys[0].type);
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("the keys of projection %s are of type %s", projection->name, type),
             array ? errdetail("The array has elements of type %s.", format_type_be(given))
                   : errdetail("The argument is of type %s.", format_type_be(given)),
             composite ? errhint("Give rows of the key's columns, in order and of their types.")
             : array   ? errhint("Cast the array to %s[].", type)
                       : errhint("Cast the argument to %s.", type)));
    pg_unreachable();
}

bool ReadCompositeKey(const Projection* projection, Datum record, Datum* key) {
    return ReadRecord(projection, record, true, key);
}

bool ReadKey(const Projection* projection, Oid type, Datum value, Datum* key) {
    if (type == JSONBOID && projection->keys[0].type != JSONBOID) {
        return ReadObject(projection, DatumGetJsonbP(value), key);
    }
    if (projection->key_count > 1) {
        if (type != RECORDOID && !type_is_rowtype(type)) {
            RaiseKeyType(projection, type, false);
        }
        return ReadRecord(projection, value, false, key);
    }
    key[0] = Convert(projection, projection->keys[0], type, value);
    return true;
}

}  // namespace freshcrm::projection
