// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "ipc/params.h"
#include "ipc/suggest.h"

using namespace meshd;
using namespace meshd::ipc;

namespace {

constexpr std::array<std::string_view, 2> kColours = {"red", "blue"};
constexpr Param kAllTypes[] = {
    {.name = "flag", .type = ParamType::Boolean, .default_json = "true"},
    {.name = "count", .type = ParamType::Integer, .default_json = "5", .min = 1, .max = 9},
    {.name = "text", .type = ParamType::String},
    {.name = "thing", .type = ParamType::Object, .is_required = true},
    {.name = "node_id", .type = ParamType::NodeName},
    {.name = "colour", .type = ParamType::Choice, .default_json = "\"blue\"", .choices = kColours},
    {.name = "kinds", .type = ParamType::EventKinds},
    {.name = "since", .type = ParamType::Cursor},
};
constexpr Param kThings[] = {
    {.name = "hash", .type = ParamType::Name, .is_required = true, .max = 4},
    {.name = "embedding", .type = ParamType::Embedding},
    {.name = "age", .type = ParamType::Integer, .default_json = "7", .min = 1, .max = 9},
};
constexpr Param kStoreTypes[] = {
    {.name = "hash", .type = ParamType::Name, .max = 4},
    {.name = "path", .type = ParamType::Path},
    {.name = "embedding", .type = ParamType::Embedding},
    {.name = "after", .type = ParamType::EntryKey},
    {.name = "things", .type = ParamType::Entries, .min = 1, .max = 3, .members = kThings},
};
const Method kMethod = {MethodId::MeshStatus, "test.all", "", kAllTypes, {}, {}, ""};
const Method kStoreMethod = {MethodId::MeshStatus, "test.store", "", kStoreTypes, {}, {}, ""};
const Method kNoParams = {MethodId::MeshStatus, "test.none", "", {}, {}, {}, ""};

/// Keeps the document that params point into.
struct Checked {
    Checked(const Method& method, std::string_view text)
        : document(*json::Document::parse(text, json::Limits{})),
          result(Params::check(method, document.root())) {}
    json::Document document;
    tl::expected<Params, Error> result;
};

Error refused(std::string_view text, const Method& method = kMethod) {
    const Checked checked(method, text);
    REQUIRE_FALSE(checked.result);
    CHECK(checked.result.error().code == ErrorCode::InvalidParams);
    return checked.result.error();
}

}  // namespace

TEST_CASE("params: defaults stand for what is not given") {
    const Checked checked(kMethod, R"({"thing":{}})");
    REQUIRE(checked.result);
    CHECK(checked.result->boolean("flag"));
    CHECK(checked.result->integer("count") == 5);
    CHECK(checked.result->choice("colour") == 1);
    CHECK_FALSE(checked.result->string("text"));
    CHECK_FALSE(checked.result->node_id("node_id"));
    CHECK_FALSE(checked.result->cursor("since"));
    CHECK(checked.result->event_kinds("kinds").has(EventKind::Alert));
    CHECK(checked.result->has("thing"));
    CHECK_FALSE(checked.result->has("flag"));
}

TEST_CASE("params: given values win") {
    const Checked checked(kMethod, R"({"flag":false,"count":9,"text":"x","thing":{"a":1},)"
                                   R"("node_id":"box-1","colour":"red","kinds":["node","alert"],)"
                                   R"("since":"00000000000000ff.17.3"})");
    REQUIRE(checked.result);
    CHECK_FALSE(checked.result->boolean("flag"));
    CHECK(checked.result->integer("count") == 9);
    CHECK(checked.result->string("text") == "x");
    CHECK(checked.result->value("thing").print() == R"({"a":1})");
    CHECK(checked.result->node_id("node_id")->text() == "box-1");
    CHECK(checked.result->choice("colour") == 0);
    CHECK(checked.result->cursor("since") == Cursor{StartId{255}, 17, 3});
    const EventKinds kinds = checked.result->event_kinds("kinds");
    CHECK(kinds.has(EventKind::NodeOffline));
    CHECK(kinds.has(EventKind::Alert));
    CHECK_FALSE(kinds.has(EventKind::LinkUp));
}

TEST_CASE("params: an array follows the order of the row, null counts as not given") {
    const Checked checked(kMethod, R"([null,3,null,{}])");
    REQUIRE(checked.result);
    CHECK(checked.result->boolean("flag"));
    CHECK(checked.result->integer("count") == 3);
    CHECK_FALSE(checked.result->has("text"));
    CHECK(Checked(kMethod, R"({"thing":{},"text":null})").result);
}

TEST_CASE("params: an array longer than the row is refused") {
    CHECK(refused(R"([true,3,"",{},null,null,null,null,null])").field == "params");
    CHECK(refused("[1]", kNoParams).field == "params");
    CHECK(Checked(kNoParams, "[]").result);
    CHECK(Checked(kNoParams, "{}").result);
}

TEST_CASE("params: absent params are as an empty object") {
    CHECK(Params::check(kNoParams, json::Value()));
    const auto missing = Params::check(kMethod, json::Value());
    REQUIRE_FALSE(missing);
    CHECK(missing.error().field == "thing");
    CHECK(missing.error().expected == "object");
    CHECK(missing.error().got == "null");
}

TEST_CASE("params: an unknown param is refused and the nearest named") {
    const Error error = refused(R"({"thing":{},"cuont":3})");
    CHECK(error.field == "cuont");
    CHECK(error.did_you_mean == "count");
    CHECK(refused(R"({"zzz":3})", kNoParams).expected == "no params");
}

TEST_CASE("params: wrong types and values out of range say field, got and expected") {
    struct Row {
        std::string_view member;
        std::string_view field;
        std::string_view got;
        std::string_view expected;
    };
    const Row rows[] = {
        {R"("flag":1)", "flag", "1", "boolean"},
        {R"("count":0)", "count", "0", "integer 1..9"},
        {R"("count":10)", "count", "10", "integer 1..9"},
        {R"("count":1.5)", "count", "1.5", "integer 1..9"},
        {R"("count":"3")", "count", "\"3\"", "integer 1..9"},
        {R"("text":[])", "text", "\"array\"", "string"},
        {R"("node_id":"a b")", "node_id", "\"a b\"", "node id"},
        {R"("node_id":"")", "node_id", "\"\"", "node id"},
        {R"("colour":"green")", "colour", "\"green\"", "red or blue"},
        {R"("kinds":[])", "kinds", "\"array\"", "array of event kinds"},
        {R"("kinds":["node."])", "kinds", "\"array\"", "array of event kinds"},
        {R"("kinds":"alert")", "kinds", "\"alert\"", "array of event kinds"},
        {R"("since":17)", "since", "17", "cursor"},
        {R"("since":"17")", "since", "\"17\"", "cursor"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.member);
        const Error error = refused("{\"thing\":{}," + std::string(row.member) + "}");
        CHECK(error.field == row.field);
        CHECK(error.got == row.got);
        CHECK(error.expected == row.expected);
    }
    CHECK(refused(R"({"thing":[]})").got == "\"array\"");
}

TEST_CASE("params: names, paths, embeddings and entry keys are checked in shape") {
    struct Row {
        std::string_view member;
        std::string_view field;
        std::string_view expected;
    };
    const Row rows[] = {
        {R"("hash":"")", "hash", "text of 1..4 bytes"},
        {R"("hash":"abcde")", "hash", "text of 1..4 bytes"},
        {R"("hash":"\u00e4\u00e4\u00e4")", "hash", "text of 1..4 bytes"},
        {R"("hash":"a\nb")", "hash", "text of 1..4 bytes"},
        {R"("hash":"\u007f")", "hash", "text of 1..4 bytes"},
        {R"("hash":"\u0085")", "hash", "text of 1..4 bytes"},
        {R"("hash":7)", "hash", "text of 1..4 bytes"},
        {R"("path":"a")", "path", "absolute path"},
        {R"("path":"")", "path", "absolute path"},
        {R"("path":"/a\u0000b")", "path", "absolute path"},
        {R"("embedding":"AAA=")", "embedding", "embedding"},
        {R"("embedding":{})", "embedding", "embedding"},
        {R"("embedding":{"f16":1})", "embedding", "embedding"},
        {R"("embedding":{"f64":"AAA="})", "embedding", "embedding"},
        {R"("embedding":{"f16":"AAA=","f32":""})", "embedding", "embedding"},
        {R"("after":"box-1")", "after", "node/hash"},
        {R"("after":"/x")", "after", "node/hash"},
        {R"("after":"box-1/")", "after", "node/hash"},
        {R"("after":"b x/y")", "after", "node/hash"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.member);
        const Error error = refused("{" + std::string(row.member) + "}", kStoreMethod);
        CHECK(error.field == row.field);
        CHECK(error.expected == row.expected);
    }
    const Checked checked(kStoreMethod, R"({"hash":"\u00e4bc","path":"/a b",)"
                                        R"("embedding":{"f32":"!"},"after":"box-1/a/b"})");
    REQUIRE(checked.result);
    const auto key = parse_entry_key(*checked.result->string("after"));
    REQUIRE(key);
    CHECK(key->node.text() == "box-1");
    CHECK(key->hash == "a/b");
}

TEST_CASE("params: each member of each entry is checked and named by its place") {
    CHECK(refused(R"({"things":[]})", kStoreMethod).field == "things");
    CHECK(refused(R"({"things":{}})", kStoreMethod).expected == "array of 1..3 entries");
    const std::string_view four =
        R"({"things":[{"hash":"a"},{"hash":"a"},{"hash":"a"},{"hash":"a"}]})";
    CHECK(refused(four, kStoreMethod).field == "things");
    CHECK(refused(R"({"things":[{"hash":"a"},7]})", kStoreMethod).field == "things[1]");
    CHECK(refused(R"({"things":[{"hash":"a"},{}]})", kStoreMethod).field == "things[1].hash");
    const Error error = refused(R"({"things":[{"hash":"a","age":10}]})", kStoreMethod);
    CHECK(error.field == "things[0].age");
    CHECK(error.got == "10");
    CHECK(error.message == "things[0]: age must be integer 1..9");
    const Error unknown = refused(R"({"things":[{"hsah":"a"}]})", kStoreMethod);
    CHECK(unknown.field == "things[0].hsah");
    CHECK(unknown.did_you_mean == "hash");
}

TEST_CASE("params: an entry has its members and their defaults") {
    const Checked checked(kStoreMethod, R"({"things":[{"hash":"a"},{"hash":"b","age":3}]})");
    REQUIRE(checked.result);
    std::string told;
    for (const json::Value thing : checked.result->value("things")) {
        const Params element = Params::element(kStoreTypes[4], thing);
        told += std::string(*element.string("hash")) + std::to_string(element.integer("age"));
    }
    CHECK(told == "a7b3");
}

TEST_CASE("cursor: its text goes both ways, and no other text is one") {
    const Cursor cursor{StartId{0xfedcba9876543210}, 17, (std::uint64_t{3} << 40) + 5};
    CHECK(print_cursor(cursor) == "fedcba9876543210.17.3298534883333");
    CHECK(parse_cursor(print_cursor(cursor)) == cursor);
    for (const std::string_view wrong :
         {"", "17", ".", "..", "fedcba9876543210", "fedcba9876543210.17", "fedcba9876543210.17.",
          "fedcba9876543210..5", "fedcba987654321.17.5", "FEDCBA9876543210.17.5",
          "fedcba9876543210.-1.5", "fedcba9876543210.17.5.6", "fedcba9876543210.17.5 ",
          "fedcba9876543210.18446744073709551616.5"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_cursor(wrong));
    }
}

TEST_CASE("params: a long value is shown by its type") {
    CHECK(refused(R"({"thing":{},"flag":")" + std::string(200, 'x') + "\"}").got == "\"string\"");
}

TEST_CASE("params: a long unknown name is cut between characters") {
    std::string name(63, 'x');
    name += "\xc3\xa9";
    CHECK(json::is_utf8(refused("{\"" + name + "\":1}").field));
}

TEST_CASE("event kinds: a name adds one kind, a group all of its kinds") {
    EventKinds kinds;
    CHECK(kinds.add("link"));
    CHECK(kinds.add("state.changed"));
    CHECK(kinds.has(EventKind::LinkUp));
    CHECK(kinds.has(EventKind::LinkDown));
    CHECK(kinds.has(EventKind::StateChanged));
    CHECK_FALSE(kinds.has(EventKind::NodeJoined));
    for (const std::string_view wrong : {"", ".", "lin", "link.", "nodes", "node.joine"}) {
        CAPTURE(wrong);
        CHECK_FALSE(kinds.add(wrong));
    }
    for (const std::string_view group : kEventGroupNames) {
        CHECK(kinds.add(group));
    }
    for (const std::string_view kind : kEventKindNames) {
        CHECK(kinds.add(kind));
    }
}

TEST_CASE("suggestions: near names are found, far ones are not") {
    constexpr std::array<std::string_view, 3> kNames = {"mesh.node", "mesh.nodes", "alerts.raise"};
    CHECK(did_you_mean("mesh.nods", kNames) == "mesh.node");
    CHECK(did_you_mean("alert.raise", kNames) == "alerts.raise");
    CHECK(did_you_mean("mesh.ndoes", kNames) == "mesh.nodes");
    CHECK(did_you_mean("alertsraise", kNames) == "alerts.raise");
    CHECK(did_you_mean("frobnicate", kNames).empty());
    CHECK(did_you_mean("", kNames).empty());
    CHECK(did_you_mean(std::string(100'000, 'x'), kNames).empty());
}

TEST_CASE("params: what may be a token is never repeated, wherever it stands") {
    struct Given {
        const char* method;
        std::string params;
        const char* message;
    };
    for (const Given& given : {
             Given{"keys.join", R"({"token":{"x":"mesh1-00000-0r00w"}})", "token must be token"},
             Given{"keys.join", R"({"token":["mesh1-00000-0r00w"]})", "token must be token"},
             Given{"keys.join", R"(["mesh1-00000-0r00w","mesh1-00000-0r00w"])",
                   "params must be an array of at most 1 values"},
             Given{"keys.join", R"({"tokn":"mesh1-00000-0r00w"})", "keys.join has no such param"},
             Given{"keys.join", R"({"mesh1-00000-0r00w":1})", "keys.join has no such param"},
             Given{"keys.new", R"({"token":"mesh1-00000-0r00w"})", "keys.new has no such param"},
             Given{"keys.join", "{}", "token is required"},
         }) {
        CAPTURE(given.params);
        const auto document = json::Document::parse(given.params, json::Limits{});
        REQUIRE(document);
        const auto checked = Params::check(*find_method(given.method), document->root());
        REQUIRE_FALSE(checked);
        CHECK(checked.error().message == given.message);
        std::string text;
        json::Writer writer(text);
        write_error(writer, checked.error());
        CHECK(text.find("mesh1-") == std::string::npos);
    }
}
