#include "core/format_codes.hpp"

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr char kLiteral = ' ';

// Reads the characters of a format that can be part of a code, in upper case. Of what stands in
// quotes there is kLiteral: codes on both sides of it are not one code. A quote after a backslash
// is itself.
class Codes {
  public:
    explicit Codes(std::string_view format) : rest_(format) {}

    bool AtEnd() const { return rest_.empty(); }

    char Next() {
        const char c = Take();
        if (c == '\\' && !AtEnd() && (quoted_ || rest_.front() == '"')) {
            (void)Take();
            return kLiteral;
        }
        if (c == '"') {
            quoted_ = !quoted_;
            return kLiteral;
        }
        return quoted_ ? kLiteral : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }

  private:
    char Take() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    std::string_view rest_;
    bool quoted_ = false;
};

}  // namespace

bool DateFormatIsFixed(std::string_view format) noexcept {
    char previous = kLiteral;
    for (Codes codes(format); !codes.AtEnd();) {
        const char c = codes.Next();
        if (previous == 'T' && c == 'M') {
            return false;
        }
        previous = c;
    }
    return true;
}

// PL and SG are fixed signs, S is not.
bool NumberFormatIsFixed(std::string_view format) noexcept {
    char previous = kLiteral;
    for (Codes codes(format); !codes.AtEnd();) {
        const char c = codes.Next();
        if ((previous == 'P' && c == 'L') || (previous == 'S' && c == 'G')) {
            previous = kLiteral;
            continue;
        }
        if (previous == 'S' || c == 'D' || c == 'G' || c == 'L') {
            return false;
        }
        previous = c;
    }
    return previous != 'S';
}

}  // namespace freshcrm::core
