// SPDX-License-Identifier: Apache-2.0
// The page that clients are written against says exactly what the method table says.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "ipc/event_kind.h"
#include "ipc/method_table.h"
#include "ipc/openrpc.h"
#include "ipc/params.h"

using namespace meshd;
using namespace meshd::ipc;

namespace {

std::string read_document() {
    std::ifstream file(MESHD_SOURCE_DIR "/ipc/API.md");
    REQUIRE(file);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Method name → text of its section.
std::map<std::string, std::string> read_sections() {
    std::map<std::string, std::string> sections;
    std::istringstream text(read_document());
    std::string line;
    std::string current;
    while (std::getline(text, line)) {
        if (line.starts_with("### ")) {
            current = line.substr(4);
        } else if (line.starts_with("## ")) {
            current.clear();
        } else if (!current.empty()) {
            sections[current] += line + "\n";
        }
    }
    return sections;
}

std::string param_row(const Param& param) {
    std::string by_default = "–";
    if (param.is_required) {
        by_default = "required";
    } else if (!param.default_json.empty()) {
        by_default = "`" + std::string(param.default_json) + "`";
    }
    return "| `" + std::string(param.name) + "` | " + describe_type(param) + " | " + by_default +
           " | " + std::string(param.doc) + " |\n";
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++n;
    }
    return n;
}

}  // namespace

TEST_CASE("API document: it has a section for each method and for nothing else") {
    std::set<std::string> documented;
    for (const auto& [name, text] : read_sections()) {
        documented.insert(name);
    }
    std::set<std::string> in_table;
    for (const Method& method : methods()) {
        in_table.insert(std::string(method.name));
    }
    CHECK(documented == in_table);
}

TEST_CASE("API document: each section has the params, result fields and errors of the table") {
    std::map<std::string, std::string> sections = read_sections();
    for (const Method& method : methods()) {
        const std::string& section = sections[std::string(method.name)];
        CAPTURE(method.name);
        for (const Param& param : method.params) {
            CAPTURE(param_row(param));
            CHECK(section.find(param_row(param)) != std::string::npos);
        }
        if (method.params.empty()) {
            CHECK(section.find("No params.") != std::string::npos);
        } else {
            CHECK(section.find("| param | type | default | |") != std::string::npos);
        }
        if (method.id != MethodId::RpcDiscover && method.id != MethodId::MeshNode) {
            for (const Field& field : method.result) {
                CAPTURE(field.name);
                CHECK(section.find("`" + std::string(field.name) + "`") != std::string::npos);
            }
        }
        const std::size_t errors = section.find("Errors: ");
        CHECK((errors != std::string::npos) == !method.errors.empty());
        for (const ErrorCode code : method.errors) {
            const std::string number = std::to_string(static_cast<int>(code));
            CAPTURE(number);
            CHECK(section.find(number, errors) != std::string::npos);
        }
        const std::string example =
            R"(echo '{"jsonrpc":"2.0","id":1,"method":")" + std::string(method.name) + "\"" +
            (method.example.empty() ? "" : ",\"params\":" + std::string(method.example)) + "}'";
        CAPTURE(example);
        CHECK(section.find(example) != std::string::npos);
        CHECK(section.find("| socat -t") != std::string::npos);
    }
}

TEST_CASE("API document: it lists every error code and event kind") {
    const std::string text = read_document();
    for (const ErrorCode code : kErrorCodes) {
        const std::string row = "| " + std::to_string(static_cast<int>(code)) + " | " +
                                std::string(error_name(code)) + " | ";
        CAPTURE(row);
        CHECK(count(text, row) == 1);
    }
    for (const std::string_view kind : kEventKindNames) {
        CAPTURE(kind);
        CHECK(text.find("`" + std::string(kind) + "`") != std::string::npos);
    }
}

TEST_CASE("method table: names are unique, defaults are valid and found again") {
    std::set<std::string_view> names;
    for (const Method& method : methods()) {
        CAPTURE(method.name);
        CHECK(names.insert(method.name).second);
        CHECK(find_method(method.name) == &method);
        CHECK_FALSE(method.summary.empty());
        CHECK_FALSE(method.result.empty());
        for (const Param& param : method.params) {
            CAPTURE(param.name);
            CHECK_FALSE((param.is_required && !param.default_json.empty()));
            if (param.default_json.empty()) {
                continue;
            }
            // The default, given by the caller, passes the check of its own row.
            std::string params =
                "{\"" + std::string(param.name) + "\":" + std::string(param.default_json);
            for (const Param& other : method.params) {
                if (other.is_required) {
                    REQUIRE((other.type == ParamType::Object || other.type == ParamType::Name ||
                             other.type == ParamType::NodeName));
                    params += ",\"" + std::string(other.name) +
                              (other.type == ParamType::Object ? "\":{}" : "\":\"x\"");
                }
            }
            const auto document = json::Document::parse(params + "}", json::Limits{});
            REQUIRE(document);
            CHECK(Params::check(method, document->root()));
        }
    }
    CHECK(find_method("mesh.statu") == nullptr);
    CHECK(nearest_method("mesh.statu") == "mesh.status");
    CHECK(nearest_method("alert.raise") == "alerts.raise");
    CHECK(nearest_method("wrong").empty());
}

TEST_CASE("method table: the example of each method is a call that its row accepts") {
    for (const Method& method : methods()) {
        CAPTURE(method.name);
        const auto params = json::Document::parse(
            method.example.empty() ? "{}" : std::string(method.example), json::Limits{});
        REQUIRE(params);
        CHECK(params->root().is_object());
        CHECK(Params::check(method, params->root()));
        CHECK_FALSE(method.since.empty());
    }
}

TEST_CASE("method table: what is for admins says so in its errors, and nothing else does") {
    for (const Method& method : methods()) {
        CAPTURE(method.name);
        const bool says_so = std::find(method.errors.begin(), method.errors.end(),
                                       ErrorCode::NotPermitted) != method.errors.end();
        CHECK(says_so == (method.access == Access::Admin));
    }
}

TEST_CASE("OpenRPC: the members of an entry are described where entries are") {
    const auto document = json::Document::parse(print_openrpc("1.2.3"), json::Limits{});
    REQUIRE(document);
    for (const json::Value method : document->root()["methods"]) {
        if (method["name"].as_string() != "registry.put") {
            continue;
        }
        json::Value entries;
        for (const json::Value param : method["params"]) {
            entries = param["name"].as_string() == "entries" ? param["schema"] : entries;
        }
        CHECK(entries["maxItems"].as_int() == 1000);
        CHECK(entries["items"]["properties"]["hash"]["maxLength"].as_int() == 128);
        CHECK(entries["items"]["properties"]["embedding"]["oneOf"].size() == 3);
        CHECK(entries["items"]["required"].print() == R"(["hash","type"])");
    }
}

TEST_CASE("OpenRPC: the document has each method with its params, schemas and errors") {
    const auto document = json::Document::parse(print_openrpc("1.2.3"), json::Limits{});
    REQUIRE(document);
    const json::Value root = document->root();
    CHECK(root["openrpc"].as_string() == "1.2.6");
    CHECK(root["info"]["version"].as_string() == "1.2.3");
    REQUIRE(root["methods"].size() == methods().size());
    std::size_t i = 0;
    for (const json::Value method : root["methods"]) {
        const Method& row = methods()[i++];
        CHECK(method["name"].as_string() == row.name);
        CHECK(method["params"].size() == row.params.size());
        CHECK(method["errors"].size() == row.errors.size());
        CHECK(method["result"]["schema"]["properties"].size() == row.result.size());
        CHECK(method["x-access"].as_string() == access_name(row.access));
        CHECK(method["x-since"].as_string() == row.since);
        for (const json::Value param : method["params"]) {
            CHECK((param["schema"]["type"].is_string() || param["schema"]["oneOf"].is_array()));
            CHECK(param["required"].as_bool());
        }
    }
}
