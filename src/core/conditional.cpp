#include "core/conditional.hpp"

#include <algorithm>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr bool IsTagByte(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte <= 0x7e) || byte >= 0x80;
}

constexpr bool IsWhiteSpace(char c) {
    return c == ' ' || c == '\t';
}

bool IsTokenByte(char c) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kOthers.find(c) != std::string_view::npos;
}

void SkipWhiteSpace(std::string_view* text) {
    const auto* end = std::find_if_not(text->begin(), text->end(), IsWhiteSpace);
    text->remove_prefix(static_cast<std::size_t>(end - text->begin()));
}

// Takes an entity tag off the front; leaves an undefined rest when there is none.
std::optional<EntityTag> TakeEntityTag(std::string_view* text) {
    const bool weak = text->starts_with("W/");
    if (weak) {
        text->remove_prefix(2);
    }
    if (!text->starts_with('"')) {
        return std::nullopt;
    }
    text->remove_prefix(1);
    const auto* end = std::find_if_not(text->begin(), text->end(), IsTagByte);
    if (end == text->end() || *end != '"') {
        return std::nullopt;
    }
    const auto length = static_cast<std::size_t>(end - text->begin());
    const EntityTag tag{text->substr(0, length), weak};
    text->remove_prefix(length + 1);
    return tag;
}

}  // namespace

std::optional<EntityTag> ReadEntityTag(std::string_view text) {
    const std::optional<EntityTag> tag = TakeEntityTag(&text);
    return text.empty() ? tag : std::nullopt;
}

std::optional<EntityTag> ReadBareOrEntityTag(std::string_view text) {
    if (text.starts_with('"') || text.starts_with("W/\"")) {
        return ReadEntityTag(text);
    }
    if (text.empty() || !std::all_of(text.begin(), text.end(), IsTagByte)) {
        return std::nullopt;
    }
    return EntityTag{text, false};
}

bool SameTag(const EntityTag& a, const EntityTag& b, Comparison comparison) {
    return a.opaque == b.opaque && (comparison == Comparison::kWeak || (!a.weak && !b.weak));
}

// A match does not end the search: what is malformed further on makes the whole field so.
FieldMatch MatchField(std::string_view field, bool exists, const EntityTag* current,
                      Comparison comparison) {
    SkipWhiteSpace(&field);
    if (field.starts_with('*')) {
        field.remove_prefix(1);
        SkipWhiteSpace(&field);
        if (!field.empty()) {
            return FieldMatch::kMalformed;
        }
        return exists ? FieldMatch::kMatch : FieldMatch::kNoMatch;
    }
    bool found = false;
    while (!field.empty()) {
        if (!field.starts_with(',')) {
            const std::optional<EntityTag> tag = TakeEntityTag(&field);
            if (!tag) {
                return FieldMatch::kMalformed;
            }
            found = found || (exists && current != nullptr && SameTag(*tag, *current, comparison));
            SkipWhiteSpace(&field);
            if (!field.empty() && !field.starts_with(',')) {
                return FieldMatch::kMalformed;
            }
        }
        if (!field.empty()) {
            field.remove_prefix(1);
        }
        SkipWhiteSpace(&field);
    }
    return found ? FieldMatch::kMatch : FieldMatch::kNoMatch;
}

bool IsMethod(std::string_view method) {
    return !method.empty() && std::all_of(method.begin(), method.end(), IsTokenByte);
}

bool IsSelection(std::string_view method) {
    return method == "GET" || method == "HEAD";
}

int Evaluate(const ConditionalRequest& request) {
    if (request.method == "CONNECT" || request.method == "OPTIONS" || request.method == "TRACE") {
        return kStatusOk;
    }
    if (request.if_match && MatchField(*request.if_match, request.exists, request.current,
                                       Comparison::kStrong) != FieldMatch::kMatch) {
        return kStatusPreconditionFailed;
    }
    if (request.if_none_match) {
        const FieldMatch match =
            MatchField(*request.if_none_match, request.exists, request.current, Comparison::kWeak);
        if (IsSelection(request.method)) {
            return match == FieldMatch::kMatch ? kStatusNotModified : kStatusOk;
        }
        return match == FieldMatch::kNoMatch ? kStatusOk : kStatusPreconditionFailed;
    }
    return kStatusOk;
}

}  // namespace freshcrm::core
