// SPDX-License-Identifier: Apache-2.0
// What rpc.discover returns, held against the rules of OpenRPC 1.2.6 (https://spec.open-rpc.org):
// the objects with their members, what the text demands besides, and JSON Schema (draft 7) as far
// as we use it.
#include "ipc/openrpc.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/json.h"

using namespace meshd;

namespace {

/// A member of an object: the JSON types it may have ("integer" is a number without a fraction).
struct Rule {
    std::string_view types;
    bool is_required = false;
};
using Rules = std::map<std::string_view, Rule>;

/// Collects what is wrong, each with its place.
class Validator {
  public:
    std::vector<std::string> problems;

    void document(const json::Value& root) {
        object("", root,
               {{"openrpc", {"string", true}},
                {"info", {"object", true}},
                {"servers", {"array"}},
                {"methods", {"array", true}},
                {"components", {"object"}},
                {"externalDocs", {"object"}}});
        const std::string version(root["openrpc"].as_string().value_or(""));
        demand(version == "1.2.6", "openrpc", "is no version that these rules are of");
        const json::Value info = root["info"];
        object("info", info,
               {{"title", {"string", true}},
                {"version", {"string", true}},
                {"description", {"string"}},
                {"termsOfService", {"string"}},
                {"contact", {"object"}},
                {"license", {"object"}}});
        if (info["license"].exists()) {
            object("info.license", info["license"], {{"name", {"string"}}, {"url", {"string"}}});
        }
        std::set<std::string> names;
        for (const json::Value one : root["methods"]) {
            const std::string name(one["name"].as_string().value_or(""));
            demand(!name.empty() && names.insert(name).second, name, "names must be unique");
            demand(!name.starts_with("rpc.") || name == "rpc.discover", name,
                   "names beginning with rpc. are reserved");
            method(name, one);
        }
    }

  private:
    void demand(bool holds, const std::string& place, const std::string& what) {
        if (!holds) {
            problems.push_back(place + ": " + what);
        }
    }

    static bool has_type(const json::Value& value, std::string_view types) {
        const bool is_integer = value.as_int().has_value();
        const std::string_view type = json::type_name(value.type());
        return types.find(type) != std::string_view::npos ||
               (is_integer && types.find("integer") != std::string_view::npos) || types == "any";
    }

    /// No member beyond the rules, but for extensions.
    void object(const std::string& place, const json::Value& value, const Rules& rules) {
        demand(value.is_object(), place, "must be an object");
        for (auto member = value.begin(); member != value.end(); ++member) {
            const auto rule = rules.find(member.key());
            const std::string there = place + "." + std::string(member.key());
            if (rule == rules.end()) {
                demand(member.key().starts_with("x-"), there, "is no member of this object");
            } else {
                demand(has_type(*member, rule->second.types), there, "has another type");
            }
        }
        for (const auto& [name, rule] : rules) {
            demand(!rule.is_required || value[name].exists(), place,
                   std::string(name) + " is required");
        }
    }

    void method(const std::string& place, const json::Value& value) {
        object(place, value,
               {{"name", {"string", true}},
                {"summary", {"string"}},
                {"description", {"string"}},
                {"tags", {"array"}},
                {"externalDocs", {"object"}},
                {"paramStructure", {"string"}},
                {"params", {"array", true}},
                {"result", {"object", true}},
                {"errors", {"array"}},
                {"links", {"array"}},
                {"servers", {"array"}},
                {"examples", {"array"}},
                {"deprecated", {"boolean"}}});
        const auto structure = value["paramStructure"].as_string().value_or("either");
        demand(structure == "either" || structure == "by-name" || structure == "by-position", place,
               "paramStructure is unknown");
        std::set<std::string> names;
        bool may_be_required = true;
        for (const json::Value param : value["params"]) {
            const std::string name(param["name"].as_string().value_or(""));
            descriptor(place + "." + name, param);
            demand(names.insert(name).second, place, "params must have names of their own");
            const bool is_required = param["required"].as_bool().value_or(false);
            demand(!is_required || may_be_required, place + "." + name,
                   "required params must stand before the others");
            may_be_required = is_required;
        }
        descriptor(place + ".result", value["result"]);
        std::set<std::string> codes;
        for (const json::Value error : value["errors"]) {
            object(place + ".errors", error,
                   {{"code", {"integer", true}}, {"message", {"string", true}}, {"data", {"any"}}});
            const std::int64_t code = error["code"].as_int().value_or(-32768);
            demand(code < -32768 || code > -32000, place, "error codes reserved by JSON-RPC");
            demand(codes.insert(error["code"].print()).second, place, "error codes must be unique");
        }
        for (const json::Value example : value["examples"]) {
            object(place + ".examples", example,
                   {{"name", {"string", true}},
                    {"summary", {"string"}},
                    {"description", {"string"}},
                    {"params", {"array", true}},
                    {"result", {"object", true}}});
        }
    }

    void descriptor(const std::string& place, const json::Value& value) {
        object(place, value,
               {{"name", {"string", true}},
                {"summary", {"string"}},
                {"description", {"string"}},
                {"required", {"boolean"}},
                {"schema", {"object", true}},
                {"deprecated", {"boolean"}}});
        demand(!value["name"].as_string().value_or("").empty(), place, "needs a name");
        schema(place + ".schema", value["schema"]);
    }

    void schema(const std::string& place, const json::Value& value) {
        object(place, value,
               {{"type", {"string|array"}},
                {"description", {"string"}},
                {"default", {"any"}},
                {"enum", {"array"}},
                {"oneOf", {"array"}},
                {"minimum", {"number"}},
                {"maximum", {"number"}},
                {"minLength", {"integer"}},
                {"maxLength", {"integer"}},
                {"pattern", {"string"}},
                {"items", {"object"}},
                {"minItems", {"integer"}},
                {"maxItems", {"integer"}},
                {"properties", {"object"}},
                {"required", {"array"}},
                {"additionalProperties", {"boolean"}},
                {"contentEncoding", {"string"}},
                {"format", {"string"}}});
        static const std::set<std::string_view> kTypes = {"null",   "boolean", "integer", "number",
                                                          "string", "array",   "object"};
        const json::Value type = value["type"];
        const auto is_type = [&](const json::Value& one) {
            const auto name = one.as_string().value_or("?");
            return kTypes.count(name) == 1;
        };
        demand(type.exists() || value["oneOf"].exists(), place, "says nothing");
        demand(!type.is_string() || is_type(type), place, "type is unknown");
        demand(!type.is_array() || type.size() > 0, place, "no types");
        for (const json::Value one : type) {
            demand(is_type(one), place, "a type is unknown");
        }
        demand(!value["enum"].exists() || value["enum"].size() > 0, place, "enum is empty");
        if (value["default"].exists() && type.is_string()) {
            demand(has_type(value["default"], *type.as_string()), place,
                   "default has another type");
        }
        if (value["enum"].exists() && value["default"].exists()) {
            bool is_one = false;
            for (const json::Value one : value["enum"]) {
                is_one = is_one || one.print() == value["default"].print();
            }
            demand(is_one, place, "default is none of enum");
        }
        for (const json::Value one : value["oneOf"]) {
            schema(place + ".oneOf", one);
        }
        if (value["items"].exists()) {
            schema(place + ".items", value["items"]);
        }
        const json::Value members = value["properties"];
        for (auto member = members.begin(); member != members.end(); ++member) {
            schema(place + "." + std::string(member.key()), *member);
        }
        for (const json::Value name : value["required"]) {
            demand(members[name.as_string().value_or("")].exists(), place,
                   "required names no member: " + name.print());
        }
    }
};

std::vector<std::string> problems_of(std::string_view text) {
    const auto document = json::Document::parse(text, json::Limits{});
    REQUIRE(document);
    Validator validator;
    validator.document(document->root());
    return validator.problems;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("OpenRPC: the document keeps to every rule of the specification") {
    for (const std::string& problem : problems_of(ipc::print_openrpc("1.2.3"))) {
        FAIL_CHECK(problem);
    }
}

TEST_CASE("OpenRPC: a document that breaks a rule is found") {
    const std::string good = ipc::print_openrpc("1.2.3");
    const std::vector<std::pair<std::string_view, std::string_view>> changes = {
        {R"("openrpc":"1.2.6")", R"("openrpc":"9")"},
        {R"("openrpc":)", R"("openRPC":)"},
        {R"("title":)", R"("titel":)"},
        {R"("name":"mesh.stats")", R"("name":"mesh.status")"},
        {R"("paramStructure":"either")", R"("paramStructure":"named")"},
        {R"("required":false)", R"("required":0)"},
        {R"("code":900)", R"("code":-32603)"},
        {R"("x-since":)", R"("since":)"},
        {R"("type":"integer")", R"("type":"int")"},
        {R"("default":"normal")", R"("default":"urgent")"},
        {R"("minimum":0)", R"("min":0)"},
        {R"("schema":)", R"("scheme":)"},
    };
    for (const auto& [from, to] : changes) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK_FALSE(problems_of(replaced(good, from, to)).empty());
    }
}
