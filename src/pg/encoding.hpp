// Send functions of text-like types convert to the client's encoding. What must not depend on the
// client runs them under an encoding of its own.
#pragma once

#include "pg/guard.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace freshcrm::pg {

// The client encoding is `encoding` as long as this lives. Needs a transaction; the destructor puts
// back an encoding that was active before, which can neither allocate nor fail.
class ClientEncodingScope {
  public:
    explicit ClientEncodingScope(int encoding) : before_(pg_get_client_encoding()) {
        Call([encoding] {
            // Fails the first time in a session, before the conversion has been looked up.
            if (SetClientEncoding(encoding) < 0 &&
                (PrepareClientEncoding(encoding) < 0 || SetClientEncoding(encoding) < 0)) {
                ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                                errmsg("conversion between %s and %s is not supported",
                                       pg_encoding_to_char(encoding), GetDatabaseEncodingName())));
            }
        });
    }
    ClientEncodingScope(const ClientEncodingScope&) = delete;
    ClientEncodingScope& operator=(const ClientEncodingScope&) = delete;
    ~ClientEncodingScope() { SetClientEncoding(before_); }

  private:
    int before_;
};

// Runs `f`, which may raise and may throw, with `encoding` as the client encoding. A server error
// leaves as a ServerError where the encoding had to be changed, and as it is where it was not.
template <typename F>
void InClientEncoding(int encoding, F f) {
    if (pg_get_client_encoding() == encoding) {
        f();
        return;
    }
    const ClientEncodingScope scope(encoding);
    Call(f);
}

}  // namespace freshcrm::pg
