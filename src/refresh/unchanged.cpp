#include "refresh/unchanged.hpp"

namespace freshcrm::refresh {

bool IsUnchanged(Oid) {
    return false;
}

Seen LookBeforeRefresh(Oid) {
    return {};
}

void NoteRefreshed(Oid) {}

}  // namespace freshcrm::refresh
