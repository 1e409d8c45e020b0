// Module magic and _PG_init: one Init call a module, nothing else.
#include "conditional/counts.hpp"
#include "conditional/settings.hpp"
#include "explain/capture.hpp"
#include "pg/entry.hpp"
#include "projection/counts.hpp"
#include "projection/flush.hpp"
#include "projection/projection.hpp"
#include "projection/settings.hpp"
#include "refresh/settings.hpp"
#include "watch/changes.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void _PG_init(void) {
    freshcrm::pg::Enter([] {
        freshcrm::conditional::InitSettings();
        freshcrm::refresh::InitSettings();
        freshcrm::projection::InitSettings();
        freshcrm::projection::InitProjectionCache();
        freshcrm::projection::InitFlush();
        freshcrm::projection::InitCounts();
        freshcrm::conditional::InitResponseCounts();
        freshcrm::explain::InitCapture();
        freshcrm::watch::InitChanges();
    });
}
}
