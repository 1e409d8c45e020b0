// The ways to fail that the boundary must survive.
#pragma once

#include "pg/postgres.hpp"
// After the server's headers.
#include <string_view>

namespace boundary {

// An object whose destructor must run: counted, and with memory of its own on the C++ heap.
class Counted {
  public:
    Counted();
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted();

    static int64 made;
    static int64 alive;

  private:
    char* memory_;
};

// Fails in the way named, below frames that hold Counted objects; returns for "none".
//
//     runtime_error, bad_alloc, int, empty   a C++ exception
//     error, error_long                      pg::Error with detail and hint; with 100 kB of message
//     ereport, elog, spi, division           a server error below C++ objects, through a guard
//     unguarded                              a server error where nothing has a destructor
//     nested                                 a server error through two guards
//     through                                a pg::Error through a guard
//     replaced                               a server error answered with a pg::Error
//     destructor                             as ereport, and a destructor meets another error on
//     the way
void Fail(std::string_view way);

}  // namespace boundary
