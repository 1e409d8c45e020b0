#include "projection/target_writer.hpp"

#include "pg/indexed_rows.hpp"
#include "pg/new_entries.hpp"
#include "projection/harmless.hpp"
#include "projection/statements.hpp"
#include "projection/target_guard.hpp"
#include "watch/changes.hpp"
#include "watch/watching.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "nodes/makefuncs.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
}

namespace freshcrm::projection {

namespace {

// Others than the guard, which lets this write through, and those of a watched table.
bool HasTriggers(Relation table, bool* watched) {
    const TriggerDesc* triggers = table->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& trigger = triggers->triggers[i];
        if (watch::IsWatchTrigger(trigger)) {
            *watched = true;
        } else if (!IsGuard(trigger)) {
            return true;
        }
    }
    return false;
}

bool CallsFunctions(Relation table) {
    const TupleConstr* constraints = RelationGetDescr(table)->constr;
    if (constraints != nullptr &&
        (constraints->num_check > 0 || constraints->has_generated_stored)) {
        return true;
    }
    bool calls = false;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        calls = calls || RelationGetIndexExpressions(index) != NIL ||
                RelationGetIndexPredicate(index) != NIL || index->rd_index->indisexclusion ||
                !index->rd_index->indimmediate;
        index_close(index, NoLock);
    }
    return calls;
}

bool HasHarmlessTypes(Relation table) {
    TupleDesc desc = RelationGetDescr(table);
    for (int i = 0; i < desc->natts; ++i) {
        if (!TupleDescAttr(desc, i)->attisdropped &&
            !IsHarmlessType(TupleDescAttr(desc, i)->atttypid)) {
            return false;
        }
    }
    return true;
}

// Which column of the key the target's attribute is, or -1.
int KeyOfAttribute(const Projection* projection, const TargetLayout* layout, AttrNumber attnum) {
    for (int i = 0; i < projection->key_count; ++i) {
        if (layout->stored[projection->keys[i].attnum - 1] == attnum) {
            return i;
        }
    }
    return -1;
}

// The scan for one row by the index, unless it is no unique index of the key.
bool ReadIndex(const Projection* projection, TargetLayout* layout, Relation index) {
    const Form_pg_index form = index->rd_index;
    if (!form->indisunique || !form->indisvalid || form->indnkeyatts != projection->key_count) {
        return false;
    }
    for (int i = 0; i < form->indnkeyatts; ++i) {
        const int key = KeyOfAttribute(projection, layout, form->indkey.values[i]);
        const Oid equals = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
                                               index->rd_opcintype[i], BTEqualStrategyNumber);
        if (key < 0 || !OidIsValid(equals) ||
            index->rd_indcollation[i] != projection->keys[key].collation) {
            return false;
        }
        layout->index_keys[i] = key;
        ScanKeyEntryInitialize(&layout->scan_keys[i], 0, static_cast<AttrNumber>(i + 1),
                               BTEqualStrategyNumber, InvalidOid, index->rd_indcollation[i],
                               get_opcode(equals), Datum{0});
    }
    layout->index = RelationGetRelid(index);
    return true;
}

void FindIndex(const Projection* projection, TargetLayout* layout, Relation table) {
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        if (!OidIsValid(layout->index)) {
            (void)ReadIndex(projection, layout, index);
        }
        index_close(index, NoLock);
    }
}

void ReadColumns(const Projection* projection, TargetLayout* layout) {
    const int count = ColumnCount(projection);
    layout->stored =
        static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        layout->stored[i] = get_attnum(projection->target, projection->stored_names[i]);
    }
    layout->updated_at = get_attnum(projection->target, kUpdatedAt);
    layout->version_etag = get_attnum(projection->target, kVersionEtag);
}

[[noreturn]] void RaiseConcurrent() {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("could not serialize access due to concurrent update")));
    pg_unreachable();
}

// For the executor's messages, and for its guess which indexes an update leaves as they are.
void AddRangeTable(TargetWriter* writer, const Bitmapset* columns) {
    auto* entry = makeNode(RangeTblEntry);
    entry->rtekind = RTE_RELATION;
    entry->relid = RelationGetRelid(writer->table);
    entry->relkind = writer->table->rd_rel->relkind;
    entry->rellockmode = RowExclusiveLock;
    const TargetLayout* layout = writer->projection->layout;
    const auto add = [entry](int attnum) {
        entry->updatedCols =
            bms_add_member(entry->updatedCols, attnum - FirstLowInvalidHeapAttributeNumber);
    };
    for (int i = bms_next_member(columns, -1); i >= 0; i = bms_next_member(columns, i)) {
        add(layout->stored[i]);
    }
    add(layout->updated_at);
    add(layout->version_etag);
    ExecInitRangeTable(writer->estate, list_make1(entry));
}

void PutValues(TargetWriter* writer, const Datum* values, const bool* nulls) {
    const TargetLayout* layout = writer->projection->layout;
    TupleTableSlot* row = ExecClearTuple(writer->new_row);
    const int count = row->tts_tupleDescriptor->natts;
    slot_getallattrs(writer->old_row);
    memcpy(row->tts_values, writer->old_row->tts_values, sizeof(Datum) * static_cast<Size>(count));
    memcpy(row->tts_isnull, writer->old_row->tts_isnull, sizeof(bool) * static_cast<Size>(count));
    for (int i = 0; i < ColumnCount(writer->projection); ++i) {
        row->tts_values[layout->stored[i] - 1] = values[i];
        row->tts_isnull[layout->stored[i] - 1] = nulls[i];
    }
    etag::DigestRow(writer->projection->digester, values, nulls, VARDATA(writer->tag));
    row->tts_values[layout->version_etag - 1] = PointerGetDatum(writer->tag);
    row->tts_isnull[layout->version_etag - 1] = false;
    row->tts_values[layout->updated_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
    row->tts_isnull[layout->updated_at - 1] = false;
    ExecStoreVirtualTuple(row);
}

void NoteReplaced(const TargetWriter* writer, const Datum* values, const bool* nulls) {
    if (writer->deltas == nullptr) {
        return;
    }
    const TargetLayout* layout = writer->projection->layout;
    const TupleTableSlot* old_row = writer->old_row;
    const RowBuffer* stored = BufferOf(writer->deltas);
    const Bitmapset* columns = writer->projection->collections->columns;
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0;) {
        stored->values[i - 1] = old_row->tts_values[layout->stored[i - 1] - 1];
        stored->nulls[i - 1] = old_row->tts_isnull[layout->stored[i - 1] - 1];
    }
    const int tag = layout->version_etag - 1;
    const RowImage before{stored->values, stored->nulls,
                          TagText(old_row->tts_values[tag], old_row->tts_isnull[tag])};
    const RowImage after{values, nulls, TagText(PointerGetDatum(writer->tag), false)};
    NoteRow(writer->deltas, &before, &after);
}

// Most updates are HOT and need none of them.
void OpenIndexes(TargetWriter* writer) {
    if (!writer->indexes_open) {
        MemoryContext caller = MemoryContextSwitchTo(writer->estate->es_query_cxt);
        ExecOpenIndices(writer->result, false);
        MemoryContextSwitchTo(caller);
        writer->indexes_open = true;
    }
}

}  // namespace

TargetLayout* ReadLayout(const Projection* projection) {
    auto* layout = static_cast<TargetLayout*>(palloc0(sizeof(TargetLayout)));
    const auto keys = static_cast<Size>(projection->key_count);
    layout->index_keys = static_cast<int*>(palloc(sizeof(int) * keys));
    layout->scan_keys = static_cast<ScanKey>(palloc0(sizeof(ScanKeyData) * keys));
    Relation table = table_open(projection->target, AccessShareLock);
    ReadColumns(projection, layout);
    bool needs_statements =
        table->rd_rules != nullptr || HasTriggers(table, &layout->watched) || CallsFunctions(table);
    if (!needs_statements) {
        FindIndex(projection, layout, table);
        layout->harmless = HasHarmlessTypes(table);
    }
    table_close(table, NoLock);
    return needs_statements || !OidIsValid(layout->index) ? nullptr : layout;
}

TargetWriter OpenTarget(const Projection* projection, const Bitmapset* columns) {
    TargetWriter writer{};
    writer.projection = projection;
    writer.table = table_open(projection->target, RowExclusiveLock);
    CheckCmdReplicaIdentity(writer.table, CMD_UPDATE);
    writer.estate = CreateExecutorState();
    MemoryContext caller = MemoryContextSwitchTo(writer.estate->es_query_cxt);
    AddRangeTable(&writer, columns);
    writer.result = makeNode(ResultRelInfo);
    InitResultRelInfo(writer.result, writer.table, 1, nullptr, 0);
    writer.old_row = table_slot_create(writer.table, nullptr);
    writer.new_row = MakeSingleTupleTableSlot(RelationGetDescr(writer.table), &TTSOpsVirtual);
    writer.tag = static_cast<text*>(palloc(VARHDRSZ + etag::kTagBytes));
    SET_VARSIZE(writer.tag, VARHDRSZ + etag::kTagBytes - 1);
    writer.index = index_open(projection->layout->index, RowExclusiveLock);
    writer.scan =
        index_beginscan(writer.table, writer.index, GetActiveSnapshot(), projection->key_count, 0);
    writer.deltas = BeginDeltas(projection->collections);
    MemoryContextSwitchTo(caller);
    return writer;
}

void CloseTarget(TargetWriter* writer) {
    ApplyDeltas(writer->deltas);
    if (writer->wrote && writer->projection->layout->watched) {
        watch::NoteChange(RelationGetRelid(writer->table));
    }
    index_endscan(writer->scan);
    ExecDropSingleTupleTableSlot(writer->old_row);
    ExecDropSingleTupleTableSlot(writer->new_row);
    index_close(writer->index, RowExclusiveLock);
    if (writer->indexes_open) {
        ExecCloseIndices(writer->result);
    }
    table_close(writer->table, NoLock);
    FreeExecutorState(writer->estate);
}

bool FindRow(TargetWriter* writer, const Datum* key) {
    const TargetLayout* layout = writer->projection->layout;
    for (int i = 0; i < writer->projection->key_count; ++i) {
        layout->scan_keys[i].sk_argument = key[layout->index_keys[i]];
    }
    // A scan allocates, and keeps, what it needs when it first finds something.
    MemoryContext caller = MemoryContextSwitchTo(writer->estate->es_query_cxt);
    index_rescan(writer->scan, layout->scan_keys, writer->projection->key_count, nullptr, 0);
    const bool found = pg::NextRowToUpdate(writer->scan, writer->old_row);
    MemoryContextSwitchTo(caller);
    return found;
}

Written ReplaceRow(TargetWriter* writer, const Datum* values, const bool* nulls) {
    PutValues(writer, values, nulls);
    if (RelationGetDescr(writer->table)->constr != nullptr) {
        ExecConstraints(writer->result, writer->new_row, writer->estate);
    }
    TM_FailureData failure;
    LockTupleMode mode;
    pg::NewEntries entries = pg::kNoNewEntries;
    const TM_Result result =
        table_tuple_update(writer->table, &writer->old_row->tts_tid, writer->new_row,
                           GetCurrentCommandId(true), GetActiveSnapshot(),
                           IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot,
                           true, &failure, &mode, &entries);
    if (result == TM_Updated || result == TM_Deleted) {
        if (IsolationUsesXactSnapshot()) {
            RaiseConcurrent();
        }
        return Written::kChanged;
    }
    if (result != TM_Ok) {
        elog(ERROR, "a row of projection %s could not be updated: %d", writer->projection->name,
             static_cast<int>(result));
    }
    if (entries != pg::kNoNewEntries) {
        OpenIndexes(writer);
        pg::InsertNewEntries(entries, writer->result, writer->new_row, writer->estate);
    }
    NoteReplaced(writer, values, nulls);
    writer->wrote = true;
    ResetPerTupleExprContext(writer->estate);
    return Written::kYes;
}

}  // namespace freshcrm::projection
