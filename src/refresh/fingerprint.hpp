// A digest of catalog rows, settings and OIDs, added one after the other.
#pragma once

#include "core/digest.hpp"
#include "pg/postgres.hpp"
#include "refresh/outside.hpp"

namespace freshcrm::refresh {

class Fingerprint {
  public:
    // Begins with the server's version: another one may compute otherwise.
    Fingerprint();

    void AddInteger(uint64 value);
    void AddText(const char* value);
    // Which version of a row of a catalog it is: any change of it counts.
    void AddRow(Oid object, HeapTuple row);
    void AddList(const List* oids);
    void AddOutside(const Outside& outside);

    core::Sha256Digest Finish() { return hash_.Finish(); }

  private:
    core::Sha256 hash_;
};

}  // namespace freshcrm::refresh
