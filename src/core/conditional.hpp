// Entity tags and conditional requests: RFC 9110, sections 8.8.3 and 13.
//
// Header fields are taken as bytes, as they came: of several lines of one name, joined by a comma.
// Nothing is allocated and nothing throws; the time is linear in what is given.
#pragma once

#include <optional>
#include <string_view>

namespace freshcrm::core {

// entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE; etagc is any byte but controls, space and the quote
// (0x80 to 0xFF are obs-text). `opaque` is what stands between the quotes.
struct EntityTag {
    std::string_view opaque;
    bool weak;
};

// Nothing when the whole of `text` is no entity tag.
std::optional<EntityTag> ReadEntityTag(std::string_view text);

// As an application gives a tag: an entity tag as above (what begins with a quote, or with W/ and a
// quote, is meant as one), or what stands between the quotes alone, at least a byte of it, which is
// strong. Nothing when it is neither.
std::optional<EntityTag> ReadBareOrEntityTag(std::string_view text);

enum class Comparison {
    kStrong,  // both are strong, and the same
    kWeak,    // the same, whether weak or not
};

bool SameTag(const EntityTag& a, const EntityTag& b, Comparison comparison);

enum class FieldMatch {
    kMatch,
    kNoMatch,
    kMalformed,  // whatever else stands in it
};

// Whether a field If-Match or If-None-Match names the current representation: "*", or a list of
// entity tags in which elements may be empty (section 5.6.1). "*" is met by whatever exists, a list
// by the tag that is `current`; nothing matches what does not exist, nor a list where the tag is
// not known (null).
FieldMatch MatchField(std::string_view field, bool exists, const EntityTag* current,
                      Comparison comparison);

// A method is a token of section 5.6.2; case counts.
bool IsMethod(std::string_view method);
// GET and HEAD: the only ones that are answered with 304.
bool IsSelection(std::string_view method);

// A request, and what the target resource is before it is carried out. A field without a value has
// not been sent.
struct ConditionalRequest {
    std::string_view method;
    std::optional<std::string_view> if_match;
    std::optional<std::string_view> if_none_match;
    bool exists;
    const EntityTag* current;  // null: not known, or does not exist
};

inline constexpr int kStatusOk = 200;
inline constexpr int kStatusNotModified = 304;
inline constexpr int kStatusPreconditionFailed = 412;

// What becomes of the request by section 13.2.2: kStatusOk when the method is to be carried out.
//
// If-Match that is malformed is not met, so that no write passes whose condition could not be read.
// If-None-Match that is malformed is as if it had not been sent where the answer is the
// representation, which can never be wrong, and is not met where something would be written.
// CONNECT, OPTIONS and TRACE select no representation: they have no conditions (section 13.2.1).
int Evaluate(const ConditionalRequest& request);

}  // namespace freshcrm::core
