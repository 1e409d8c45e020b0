// The setting freshcrm.http_dialect.
#pragma once

namespace freshcrm::conditional {

// Whether what is to become an HTTP response is raised as PostgREST reads it: always with
// 'postgrest', never with 'plain', and with 'auto' where PostgREST has said which request it is.
bool SpeaksPostgrest();

// Defines it; once a backend, before its prefix is reserved (projection/settings.cpp).
void InitSettings();

}  // namespace freshcrm::conditional
