#include "refresh/refresh.hpp"

#include "pg/names.hpp"
#include "pg/rights.hpp"
#include "refresh/registered.hpp"
#include "refresh/run.hpp"
#include "refresh/scope.hpp"
#include "refresh/unchanged.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "portability/instr_time.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
}

#include <cstring>

namespace freshcrm::refresh {

namespace {

// PostgreSQL uses 1 and 2 (lockfuncs.c), projections 17920 to 17925.
constexpr uint16 kRefreshLock = 17936;

LOCKTAG RunTag(Oid matview) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, matview, 0, kRefreshLock);
    return tag;
}

const Registered* RequireRegistered(Oid matview) {
    CheckIsMatview(matview);
    const Registered* registered = FindRegistered(matview);
    if (registered == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("materialized view \"%s\" is not registered", get_rel_name(matview)),
                        errhint("Register it with freshcrm.schedule(%s, …).",
                                quote_literal_cstr(pg::RelationForMessage(matview)))));
    }
    return registered;
}

bool IsRefresher(const Registered* registered) {
    ListCell* cell;
    foreach (cell, registered->refreshers) {
        const char* role = static_cast<const char*>(lfirst(cell));
        if (std::strcmp(role, "public") == 0) {
            return true;
        }
        const Oid oid = get_role_oid(role, true);
        if (OidIsValid(oid) && has_privs_of_role(GetUserId(), oid)) {
            return true;
        }
    }
    return false;
}

void CheckMayRefresh(Oid matview, const Registered* registered) {
    if (!pg::IsOwner(matview) && !IsRefresher(registered)) {
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to refresh materialized view \"%s\"",
                               get_rel_name(matview)),
                        errhint("Its owner can allow it with freshcrm.grant_refresh().")));
    }
}

// A REFRESH that somebody typed, or another command that nothing may run beside.
bool IsLockedByOthers(Oid matview) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, matview);
    int count;
    (void)GetLockConflicts(&tag, RowShareLock, &count);
    return count > 0;
}

// Under the settings of a refresh, which the digest of the definition depends on.
bool IsUnchangedForOwner(Oid matview) {
    const pg::OwnerScope scope = BeginAsOwnerOf(matview);
    const bool unchanged = IsUnchanged(matview);
    pg::EndAsOwner(scope);
    return unchanged;
}

Outcome Perform(Oid matview, Wish wish, const Registered* registered) {
    const LOCKTAG tag = RunTag(matview);
    if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL) {
        return {.status = Status::kRunning};
    }
    if (IsLockedByOthers(matview)) {
        LockRelease(&tag, ExclusiveLock, false);
        return {.status = Status::kRunning};
    }
    if (wish == Wish::kAuto && IsUnchangedForOwner(matview)) {
        RecordUnchanged(matview);
        return {.status = Status::kUnchanged};
    }
    const Mode mode = wish == Wish::kAuto           ? ChooseMode(matview, nullptr)
                      : wish == Wish::kConcurrently ? Mode::kConcurrently
                                                    : Mode::kPlain;
    return RunRefresh(matview, mode, registered);
}

Outcome Timed(Oid matview, Wish wish, const Registered* registered) {
    instr_time begin;
    instr_time end;
    INSTR_TIME_SET_CURRENT(begin);
    Outcome outcome = Perform(matview, wish, registered);
    INSTR_TIME_SET_CURRENT(end);
    INSTR_TIME_SUBTRACT(end, begin);
    outcome.milliseconds = INSTR_TIME_GET_MILLISEC(end);
    if (outcome.status == Status::kFailed) {
        ereport(WARNING, (errcode(outcome.sqlstate),
                          errmsg("refresh of materialized view \"%s\" failed: %s",
                                 get_rel_name(matview), outcome.error),
                          outcome.sqlstate == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
                              ? errhint("freshcrm.refresh_lints() says what stands in its way.")
                              : 0));
    }
    return outcome;
}

}  // namespace

void CheckOwner(Oid matview) {
    if (!pg::IsOwner(matview)) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_MATVIEW, get_rel_name(matview));
    }
}

void CheckIsMatview(Oid matview) {
    const char kind = get_rel_relkind(matview);
    if (kind == '\0') {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("materialized view with OID %u does not exist", matview)));
    }
    if (kind != RELKIND_MATVIEW) {
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a materialized view", get_rel_name(matview)),
                        errhint("Tables that equal a view at any time are made by "
                                "freshcrm.create_projection().")));
    }
}

const char* StatusName(Status status) {
    switch (status) {
        case Status::kRefreshed:
            return "refreshed";
        case Status::kUnchanged:
            return "unchanged";
        case Status::kRunning:
            return "running";
        case Status::kFailed:
            return "failed";
    }
    return nullptr;
}

Wish ParseWish(const char* mode) {
    if (mode == nullptr || std::strcmp(mode, "auto") == 0) {
        return Wish::kAuto;
    }
    if (std::strcmp(mode, "concurrently") == 0) {
        return Wish::kConcurrently;
    }
    if (std::strcmp(mode, "plain") == 0) {
        return Wish::kPlain;
    }
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("there is no refresh mode \"%s\"", mode),
                    errhint("Modes are auto, concurrently and plain.")));
}

Outcome Refresh(Oid matview, const char* mode) {
    const Registered* registered = RequireRegistered(matview);
    CheckMayRefresh(matview, registered);
    const Wish wish = ParseWish(mode);
    const TimestampTz started = GetCurrentTimestamp();
    const Outcome outcome = Timed(matview, wish, registered);
    if (outcome.status != Status::kRunning) {
        RecordRun(matview, 0, "call", started, outcome);
    }
    return outcome;
}

Outcome RefreshScheduled(Oid matview, int64 history) {
    const Registered* registered = RequireRegistered(matview);
    const Outcome outcome = Timed(matview, ParseWish(registered->mode), registered);
    if (outcome.status != Status::kRunning) {
        RecordRun(matview, history, nullptr, 0, outcome);
    }
    return outcome;
}

void GrantRefresh(Oid matview, const char* grantee, bool granted) {
    (void)RequireRegistered(matview);
    CheckOwner(matview);
    if (granted && std::strcmp(grantee, "public") != 0) {
        (void)get_role_oid(grantee, false);
    }
    SetRefresher(matview, grantee, granted);
}

}  // namespace freshcrm::refresh
