// Conditional requests from arbitrary bytes, compared with a second reading of RFC 9110 that is
// written in another way: fields are cut at the commas outside of quotes, and each piece is looked
// at by itself.
//
// An input is: a byte that chooses the method, one of flags, and a tag, If-None-Match and If-Match,
// each after a line feed (which no field can have).
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/conditional.hpp"

namespace {

using namespace freshcrm::core;

void Require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

std::string_view Trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// An unfinished tag at the end is a piece, too.
std::vector<std::string_view> Pieces(std::string_view field) {
    std::vector<std::string_view> pieces;
    bool quoted = false;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= field.size(); ++i) {
        if (i == field.size() || (field[i] == ',' && !quoted)) {
            pieces.push_back(Trim(field.substr(start, i - start)));
            start = i + 1;
        } else if (field[i] == '"') {
            quoted = !quoted;
        }
    }
    return pieces;
}

bool IsTag(std::string_view text, bool* weak, std::string_view* opaque) {
    *weak = text.substr(0, 2) == "W/";
    *opaque = text.substr(*weak ? 2 : 0);
    if (opaque->size() < 2 || opaque->front() != '"' || opaque->back() != '"') {
        return false;
    }
    *opaque = opaque->substr(1, opaque->size() - 2);
    for (const unsigned char c : *opaque) {
        if (c <= 0x20 || c == 0x22 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

FieldMatch Expected(std::string_view field, bool exists, const EntityTag* current, bool strong) {
    if (Trim(field) == "*") {
        return exists ? FieldMatch::kMatch : FieldMatch::kNoMatch;
    }
    FieldMatch match = FieldMatch::kNoMatch;
    for (const std::string_view piece : Pieces(field)) {
        bool weak;
        std::string_view opaque;
        if (piece.empty()) {
            continue;
        }
        if (!IsTag(piece, &weak, &opaque)) {
            return FieldMatch::kMalformed;
        }
        if (exists && current != nullptr && opaque == current->opaque &&
            !(strong && (weak || current->weak))) {
            match = FieldMatch::kMatch;
        }
    }
    return match;
}

std::string_view TakeLine(std::string_view* input) {
    const std::size_t end = std::min(input->find('\n'), input->size());
    const std::string_view line = input->substr(0, end);
    input->remove_prefix(std::min(end + 1, input->size()));
    return line;
}

void CheckField(std::string_view field, bool exists, const EntityTag* current) {
    for (const bool strong : {false, true}) {
        const Comparison comparison = strong ? Comparison::kStrong : Comparison::kWeak;
        const FieldMatch match = MatchField(field, exists, current, comparison);
        Require(match == Expected(field, exists, current, strong), "both readings agree");
        if (Trim(field) != "*") {
            const std::string more = ", ," + std::string(field) + " ,\t,";
            Require(MatchField(more, exists, current, comparison) == match,
                    "empty elements change nothing");
        }
    }
}

void CheckRequest(const ConditionalRequest& request) {
    const int status = Evaluate(request);
    const auto match = [&](const std::optional<std::string_view>& field, bool strong) {
        return field ? Expected(*field, request.exists, request.current, strong)
                     : FieldMatch::kMalformed;
    };
    Require(status == 200 || status == 304 || status == 412, "the status is one of three");
    if (!request.if_match && !request.if_none_match) {
        Require(status == 200, "without a condition all is well");
    }
    if (status == 304) {
        Require(IsSelection(request.method), "304 is for GET and HEAD");
        Require(match(request.if_none_match, false) == FieldMatch::kMatch, "304 needs a match");
        Require(!request.if_match || match(request.if_match, true) == FieldMatch::kMatch,
                "If-Match comes first");
    }
    if (status == 200 && request.if_match && request.method != "OPTIONS") {
        Require(match(request.if_match, true) == FieldMatch::kMatch, "nothing passes If-Match");
    }
    if (status == 200 && request.if_none_match && request.method == "PUT") {
        Require(match(request.if_none_match, false) == FieldMatch::kNoMatch,
                "no write passes If-None-Match");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::array<std::string_view, 6> kMethods = {"GET",  "HEAD",    "PUT",
                                                                 "POST", "OPTIONS", "get"};
    if (size < 2) {
        return 0;
    }
    const std::string_view method = kMethods[data[0] % kMethods.size()];
    const std::uint8_t flags = data[1];
    std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view given = TakeLine(&input);
    const std::string_view if_none_match = TakeLine(&input);
    const std::string_view if_match = TakeLine(&input);

    const std::optional<EntityTag> tag = ReadBareOrEntityTag(given);
    const bool exists = (flags & 1) != 0;
    const EntityTag* current = tag && (flags & 2) != 0 ? &*tag : nullptr;
    if (tag) {
        const std::string wire = (tag->weak ? "W/\"" : "\"") + std::string(tag->opaque) + "\"";
        const std::optional<EntityTag> again = ReadEntityTag(wire);
        Require(again && SameTag(*again, {tag->opaque, false}, Comparison::kWeak),
                "a tag can be sent");
    }
    CheckField(if_none_match, exists, current);
    CheckField(if_match, exists, current);
    ConditionalRequest request{method, std::nullopt, std::nullopt, exists, current};
    if ((flags & 4) != 0) {
        request.if_none_match = if_none_match;
    }
    if ((flags & 8) != 0) {
        request.if_match = if_match;
    }
    CheckRequest(request);
    (void)IsMethod(given);
    return 0;
}
