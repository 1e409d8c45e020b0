#include "core/conditional.hpp"

#include <gtest/gtest.h>

#include <string>

namespace freshcrm::core {
namespace {

const EntityTag kStrongX{"x", false};
const EntityTag kWeakX{"x", true};

FieldMatch Weakly(std::string_view field, const EntityTag& current = kStrongX) {
    return MatchField(field, true, &current, Comparison::kWeak);
}

FieldMatch Strongly(std::string_view field, const EntityTag& current = kStrongX) {
    return MatchField(field, true, &current, Comparison::kStrong);
}

using Field = std::optional<std::string_view>;

int Status(std::string_view method, Field if_none_match, Field if_match = {}, bool exists = true) {
    return Evaluate({method, if_match, if_none_match, exists, exists ? &kStrongX : nullptr});
}

TEST(EntityTag, IsReadAsAWhole) {
    const auto tag = ReadEntityTag(R"("a,b'\!#~")");
    ASSERT_TRUE(tag);
    EXPECT_EQ(tag->opaque, "a,b'\\!#~");
    EXPECT_FALSE(tag->weak);
    EXPECT_TRUE(ReadEntityTag("W/\"a\"")->weak);
    EXPECT_EQ(ReadEntityTag("\"\"")->opaque, "");
    EXPECT_EQ(ReadEntityTag("\"\x80\xff\"")->opaque, "\x80\xff");
}

TEST(EntityTag, AnythingElseIsNone) {
    for (const char* text :
         {"", "a", "\"", "\"a", "a\"", "\"a\"b", " \"a\"", "\"a\" ", "\"a b\"", "\"a\tb\"",
          "\"a\x7f\"", "\"a\x01\"", "w/\"a\"", "W\"a\"", "W/", "W/a", "W/ \"a\"", R"("a"")", "*"}) {
        EXPECT_FALSE(ReadEntityTag(text)) << text;
    }
}

TEST(EntityTag, OfAnApplicationMayBeBare) {
    EXPECT_EQ(ReadBareOrEntityTag("ad94")->opaque, "ad94");
    EXPECT_EQ(ReadBareOrEntityTag("W/a")->opaque, "W/a");
    EXPECT_FALSE(ReadBareOrEntityTag("W/a")->weak);
    EXPECT_EQ(ReadBareOrEntityTag("\"ad94\"")->opaque, "ad94");
    EXPECT_TRUE(ReadBareOrEntityTag("W/\"a\"")->weak);
    EXPECT_EQ(ReadBareOrEntityTag("\"\"")->opaque, "");
    for (const char* text : {"", "a b", "a\"", "\"a", "\"a\"b", "W/\"a", "a\n"}) {
        EXPECT_FALSE(ReadBareOrEntityTag(text)) << text;
    }
}

// The table of RFC 9110, section 8.8.3.2.
TEST(EntityTag, ComparisonsOfTheStandard) {
    const EntityTag w1{"1", true};
    const EntityTag w2{"2", true};
    const EntityTag s1{"1", false};
    const auto both = [](const EntityTag& a, const EntityTag& b) {
        return std::pair(SameTag(a, b, Comparison::kStrong), SameTag(a, b, Comparison::kWeak));
    };
    EXPECT_EQ(both(w1, w1), std::pair(false, true));
    EXPECT_EQ(both(w1, w2), std::pair(false, false));
    EXPECT_EQ(both(w1, s1), std::pair(false, true));
    EXPECT_EQ(both(s1, w1), std::pair(false, true));
    EXPECT_EQ(both(s1, s1), std::pair(true, true));
}

TEST(Field, ListsAndEmptyElements) {
    for (const char* field : {"\"x\"", R"("a","x")", R"("x","a")", "\"a\" , \t\"x\"", " \"x\" ",
                              ",\"x\"", R"(, ,"a",,"x",, )", R"("x", "x")", R"("","x")"}) {
        EXPECT_EQ(Weakly(field), FieldMatch::kMatch) << field;
        EXPECT_EQ(Strongly(field), FieldMatch::kMatch) << field;
    }
    for (const char* field :
         {"", " ", ",", " , ,", "\"a\"", "\"X\"", "\"x,\"", "\",x\"", "W/\"a\""}) {
        EXPECT_EQ(Weakly(field), FieldMatch::kNoMatch) << field;
        EXPECT_EQ(Strongly(field), FieldMatch::kNoMatch) << field;
    }
}

TEST(Field, WeakTagsMatchWeaklyOnly) {
    EXPECT_EQ(Weakly("W/\"x\""), FieldMatch::kMatch);
    EXPECT_EQ(Strongly("W/\"x\""), FieldMatch::kNoMatch);
    EXPECT_EQ(Weakly("\"x\"", kWeakX), FieldMatch::kMatch);
    EXPECT_EQ(Strongly("\"x\"", kWeakX), FieldMatch::kNoMatch);
    EXPECT_EQ(Strongly("W/\"x\"", kWeakX), FieldMatch::kNoMatch);
    EXPECT_EQ(Strongly("W/\"x\", \"x\""), FieldMatch::kMatch);
}

// Also behind a tag that matches.
TEST(Field, MalformedIsMalformedAsAWhole) {
    for (const char* field :
         {"x",         "\"x",      "x\"",           R"("x""x")", R"("x" "x")", R"("x";"a")",
          "\"x\", a",  "\"x\", *", "*, \"x\"",      "**",        "* *",        "w/\"x\"",
          "W/x",       "W/ \"x\"", R"("x", "a b")", "'x'",       "\"x\"\n",    "\"x\r\n\"",
          "\"x\", W/", R"("x",")", "\x80",          "\v\"x\""}) {
        EXPECT_EQ(Weakly(field), FieldMatch::kMalformed) << field;
        EXPECT_EQ(Strongly(field), FieldMatch::kMalformed) << field;
    }
    EXPECT_EQ(Weakly(std::string_view("\"x\0\"", 4)), FieldMatch::kMalformed);
}

TEST(Field, StarIsWhateverExists) {
    for (const char* field : {"*", " *\t"}) {
        EXPECT_EQ(MatchField(field, true, nullptr, Comparison::kStrong), FieldMatch::kMatch);
        EXPECT_EQ(MatchField(field, false, nullptr, Comparison::kStrong), FieldMatch::kNoMatch);
    }
    EXPECT_EQ(MatchField("\"x\"", true, nullptr, Comparison::kWeak), FieldMatch::kNoMatch);
    EXPECT_EQ(MatchField("\"x\"", false, &kStrongX, Comparison::kWeak), FieldMatch::kNoMatch);
    EXPECT_EQ(Weakly("\"*\"", {"*", false}), FieldMatch::kMatch);
}

// A tag sent with its quotes is the tag: comparing the field as a string never finds it.
TEST(Conditional, TheQuotesOfTheWireDoNotCount) {
    const EntityTag current = *ReadBareOrEntityTag("ad94");
    EXPECT_EQ(Evaluate({"GET", {}, "\"ad94\"", true, &current}), 304);
    EXPECT_EQ(Evaluate({"GET", {}, "ad94", true, &current}), 200);
}

TEST(Conditional, NotModifiedIsForGetAndHead) {
    EXPECT_EQ(Status("GET", "\"x\""), 304);
    EXPECT_EQ(Status("HEAD", "W/\"x\""), 304);
    for (const char* method : {"PUT", "POST", "PATCH", "DELETE", "get", "BREW"}) {
        EXPECT_EQ(Status(method, "\"x\""), 412) << method;
        EXPECT_EQ(Status(method, "\"a\""), 200) << method;
    }
}

TEST(Conditional, CreateOnlyWhatDoesNotExist) {
    EXPECT_EQ(Status("PUT", "*", {}, false), 200);
    EXPECT_EQ(Status("PUT", "*", {}, true), 412);
    EXPECT_EQ(Status("GET", "*", {}, true), 304);
    EXPECT_EQ(Status("GET", "*", {}, false), 200);
}

TEST(Conditional, IfMatchGuardsEveryMethod) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
        EXPECT_EQ(Status(method, {}, "\"x\""), 200) << method;
        EXPECT_EQ(Status(method, {}, "*"), 200) << method;
        EXPECT_EQ(Status(method, {}, "\"a\""), 412) << method;
        EXPECT_EQ(Status(method, {}, "W/\"x\""), 412) << method;
        EXPECT_EQ(Status(method, {}, ""), 412) << method;
        EXPECT_EQ(Status(method, {}, "*", false), 412) << method;
        EXPECT_EQ(Status(method, {}, "\"x\"", false), 412) << method;
    }
}

// Section 13.2.2: If-Match first; If-None-Match only where that is met.
TEST(Conditional, Precedence) {
    EXPECT_EQ(Status("GET", "\"x\"", "\"a\""), 412);
    EXPECT_EQ(Status("GET", "\"x\"", "\"x\""), 304);
    EXPECT_EQ(Status("GET", "\"a\"", "\"x\""), 200);
    EXPECT_EQ(Status("PUT", "\"x\"", "\"x\""), 412);
}

TEST(Conditional, MalformedNeverLetsAWriteThrough) {
    EXPECT_EQ(Status("GET", "x"), 200);
    EXPECT_EQ(Status("GET", "\"x\", x"), 200);
    EXPECT_EQ(Status("PUT", "x"), 412);
    EXPECT_EQ(Status("PUT", {}, "x"), 412);
    EXPECT_EQ(Status("PUT", {}, "\"x\" x"), 412);
    EXPECT_EQ(Status("GET", {}, "x"), 412);
}

TEST(Conditional, MethodsWithoutARepresentationHaveNone) {
    for (const char* method : {"OPTIONS", "TRACE", "CONNECT"}) {
        EXPECT_EQ(Status(method, "\"x\"", "\"a\""), 200) << method;
    }
}

TEST(Conditional, MethodsAreTokens) {
    for (const char* method : {"GET", "get", "M-SEARCH", "X!#$%&'*+.^_`|~9"}) {
        EXPECT_TRUE(IsMethod(method)) << method;
    }
    for (const char* method : {"", "G T", "GET,", "GET\n", "G\x80T", "\"GET\""}) {
        EXPECT_FALSE(IsMethod(method)) << method;
    }
}

TEST(Conditional, LongHeaders) {
    std::string list;
    while (list.size() < 100000) {
        list += "W/\"0123456789abcdef\",, ";
    }
    EXPECT_EQ(Status("GET", list), 200);
    EXPECT_EQ(Status("GET", list + "\"x\""), 304);
    EXPECT_EQ(Status("PUT", {}, list + "\"x\""), 200);
    EXPECT_EQ(Status("GET", "\"" + std::string(100000, 'x')), 200);
    EXPECT_EQ(Status("GET", std::string(100000, ',') + "\"x\""), 304);
}

}  // namespace
}  // namespace freshcrm::core
