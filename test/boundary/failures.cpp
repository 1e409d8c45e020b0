#include "failures.hpp"

#include <new>
#include <stdexcept>
#include <string>

#include "pg/guard.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace boundary {

namespace pg = freshcrm::pg;

int64 Counted::made = 0;
int64 Counted::alive = 0;

Counted::Counted() : memory_(new char[1000]) {
    made++;
    alive++;
}

Counted::~Counted() {
    delete[] memory_;
    alive--;
}

namespace {

void AddContext(void*) {
    errcontext("boundary test");
}

// With everything that a server error can carry. A plain struct keeps the callback.
void RaiseFull() {
    ErrorContextCallback callback = {};
    callback.callback = AddContext;
    callback.previous = error_context_stack;
    error_context_stack = &callback;
    ereport(ERROR, (errcode(MAKE_SQLSTATE('F', 'C', '0', '0', '1')), errmsg("raised by the server"),
                    errdetail("The detail of it."), errhint("The hint for it."),
                    err_generic_string(PG_DIAG_SCHEMA_NAME, "a_schema"),
                    err_generic_string(PG_DIAG_TABLE_NAME, "a_table"),
                    err_generic_string(PG_DIAG_COLUMN_NAME, "a_column"),
                    err_generic_string(PG_DIAG_DATATYPE_NAME, "a_type"),
                    err_generic_string(PG_DIAG_CONSTRAINT_NAME, "a_constraint")));
}

void RaiseBySpi() {
    SPI_connect();
    SPI_execute("SELECT 'x'::pg_catalog.int4", true, 0);
}

// Meets an error of its own while the frames are left because of another.
class RaisesWhenDestroyed {
  public:
    RaisesWhenDestroyed() = default;
    RaisesWhenDestroyed(const RaisesWhenDestroyed&) = delete;
    RaisesWhenDestroyed& operator=(const RaisesWhenDestroyed&) = delete;
    ~RaisesWhenDestroyed() {
        try {
            const Counted inner;
            pg::Call([] { elog(ERROR, "raised by a destructor"); });
        } catch (const pg::ServerError&) {
            // Nothing was done that the end of the transaction would have to undo.
        }
    }
};

void Throw(std::string_view way) {
    if (way == "runtime_error") {
        throw std::runtime_error("thrown by C++");
    }
    if (way == "bad_alloc") {
        throw std::bad_alloc();
    }
    if (way == "int") {
        throw 42;
    }
    if (way == "empty") {
        throw std::runtime_error("");
    }
    if (way == "error") {
        throw pg::Error(ERRCODE_UNDEFINED_COLUMN, "100% \"wrong\"")
            .Detail("The detail of 100%s.")
            .Hint("The hint for %m.");
    }
    if (way == "error_long") {
        throw pg::Error(ERRCODE_TOO_MANY_COLUMNS, std::string(100000, 'x'));
    }
}

void RaiseGuarded(std::string_view way) {
    if (way == "ereport") {
        pg::Call(RaiseFull);
    }
    if (way == "elog") {
        pg::Call([] { elog(ERROR, "internal to the server"); });
    }
    if (way == "spi") {
        pg::Call(RaiseBySpi);
    }
    if (way == "division") {
        pg::Call([] { DirectFunctionCall2(int4div, Int32GetDatum(1), Int32GetDatum(0)); });
    }
    if (way == "nested") {
        pg::Call([] {
            const Counted between;
            pg::Call(RaiseFull);
        });
    }
    if (way == "through") {
        pg::Call([] {
            const Counted between;
            MemoryContextSwitchTo(ErrorContext);
            throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "thrown through a guard");
        });
    }
    if (way == "replaced") {
        try {
            pg::Call(RaiseFull);
        } catch (const pg::ServerError& error) {
            const Counted between;
            throw pg::Error(error.sqlstate(), std::string("instead of: ") + error.what());
        }
    }
    if (way == "destructor") {
        const RaisesWhenDestroyed object;
        pg::Call(RaiseFull);
    }
}

template <int kFrames>
void FailBelow(std::string_view way) {
    const Counted counted;
    const std::string text(100, 'x');
    if constexpr (kFrames > 0) {
        FailBelow<kFrames - 1>(way);
    } else {
        Throw(way);
        RaiseGuarded(way);
    }
}

}  // namespace

void Fail(std::string_view way) {
    if (way == "unguarded") {
        RaiseFull();
    }
    FailBelow<2>(way);
}

}  // namespace boundary
