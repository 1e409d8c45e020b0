// SPI as the engine uses it: kept plans with an owner, and reads that see what has just been
// committed.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace freshcrm::pg {

// Prepares a statement with a generic plan and keeps it until `owner` is reset or deleted. A plan
// chosen anew for each array costs more than the statement (design.md section 6); the server itself
// replans when an object that the plan depends on changes.
SPIPlanPtr PrepareKept(const char* sql, int nargs, Oid* argtypes, MemoryContext owner);

// Makes the active snapshot one that sees every transaction committed by now and all that this
// transaction has done: at READ COMMITTED a new statement snapshot, above it the latest snapshot,
// as a foreign-key check reads (ri_triggers.c, ri_PerformCheck). To be taken after the locks have
// been waited for. Plans are made anew for the tables as they are by then: a relation that this
// transaction has locked before may have got a partition since. Ends with PopActiveSnapshot().
void PushFreshSnapshot();

// The same, registered instead of active. Ends with UnregisterSnapshot().
Snapshot RegisterFreshSnapshot();

// Runs a kept SELECT under the active snapshot. Result in SPI_tuptable.
void Select(SPIPlanPtr plan, Datum* values, const char* nulls);

// What a SELECT's rows are handed to, one by one, instead of being gathered in SPI_tuptable.
struct RowHandler {
    void (*columns)(void* arg, TupleDesc desc);  // once, before the rows; or null
    void (*row)(void* arg, TupleTableSlot* slot);
    void* arg;
};

// Runs a kept SELECT under the active snapshot and hands over its rows as they come. The handler
// must not use SPI.
void SelectEach(SPIPlanPtr plan, Datum* values, const RowHandler& handler);

// Runs DDL, with the names and rights of the current scope.
void RunUtility(const char* sql);

// Runs a kept INSERT, UPDATE or DELETE with all triggers and returns the number of rows. It acts on
// the latest version of a row; above READ COMMITTED it raises 40001 when that version was written
// by a transaction that this one's snapshot does not see.
uint64 Modify(SPIPlanPtr plan, Datum* values, const char* nulls);

}  // namespace freshcrm::pg
