#include "projection/ddl_start.hpp"

#include "pg/names.hpp"
#include "projection/definition.hpp"
#include "projection/target.hpp"
#include "projection/triggers.hpp"

extern "C" {
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
}

namespace freshcrm::projection {

namespace {

// The partition that is to be detached concurrently, or null.
const RangeVar* DetachedConcurrently(const AlterTableStmt* command) {
    const auto* subcommand = static_cast<AlterTableCmd*>(linitial(command->cmds));
    if (subcommand->subtype != AT_DetachPartition) {
        return nullptr;
    }
    const auto* detach = castNode(PartitionCmd, subcommand->def);
    return detach->concurrent ? detach->name : nullptr;
}

// Whatever projection reads of the tree above or below it has triggers on it.
void RefuseDetach(const RangeVar* name) {
    const Oid partition = RangeVarGetRelid(name, NoLock, true);
    if (OidIsValid(partition) && HasCaptureTriggers(partition)) {
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot detach partition %s concurrently", pg::RelationForMessage(partition)),
             errdetail("A projection has triggers on it. Its rows would leave the view in the "
                       "middle of the command, where the projection cannot follow."),
             errhint("Detach it without CONCURRENTLY.")));
    }
}

void RefuseDropIndex(List* name) {
    const Oid index = RangeVarGetRelid(makeRangeVarFromNameList(name), NoLock, true);
    const Oid table = OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX
                          ? IndexGetRelation(index, true)
                          : InvalidOid;
    const Definition* definition = OidIsValid(table) ? FindDefinitionOf(table) : nullptr;
    if (definition != nullptr && IsWhole(definition)) {
        CheckStillTarget(table, definition->keys, index);
    }
}

}  // namespace

void RefuseConcurrent(const Node* command) {
    if (!HasDefinitions()) {
        return;
    }
    if (IsA(command, AlterTableStmt)) {
        if (const RangeVar* name =
                DetachedConcurrently(reinterpret_cast<const AlterTableStmt*>(command))) {
            RefuseDetach(name);
        }
    } else if (IsA(command, DropStmt)) {
        const auto* drop = reinterpret_cast<const DropStmt*>(command);
        // It names one then.
        if (drop->removeType == OBJECT_INDEX && drop->concurrent) {
            RefuseDropIndex(static_cast<List*>(linitial(drop->objects)));
        }
    }
}

}  // namespace freshcrm::projection
