// Module magic and _PG_init: one Init call a module, nothing else.
#include "pg/entry.hpp"

extern "C" {
PG_MODULE_MAGIC;
}
