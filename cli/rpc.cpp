// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/method_help.h"
#include "cli/suggestion.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

std::string schema_type(const json::Value& schema) {
    if (schema["enum"].size() > 0) {
        return join(texts_of(schema["enum"]), "|");
    }
    if (schema["type"].is_array()) {
        return join(texts_of(schema["type"]), "|");
    }
    if (schema["oneOf"].is_array()) {
        std::string types;
        for (const json::Value& one : schema["oneOf"]) {
            const std::string type = print_value(one["type"]);
            if (types.find(type) == std::string::npos) {
                types += (types.empty() ? "" : "|") + type;
            }
        }
        return types;
    }
    std::string type = print_value(schema["type"]);
    if (schema["minimum"].exists() || schema["maximum"].exists()) {
        type += " " + print_value(schema["minimum"]) + ".." + print_value(schema["maximum"]);
    }
    return type;
}

std::string list_methods(const json::Value& document, const Style& style) {
    Listing rows;
    for (const json::Value& method : document["methods"]) {
        rows.add(print_value(method["name"]), print_value(method["summary"]));
    }
    return rows.print(style);
}

std::vector<std::string> method_names(const json::Value& document) {
    std::vector<std::string> names;
    for (const json::Value& method : document["methods"]) {
        names.push_back(print_value(method["name"]));
    }
    return names;
}

std::string print_params(const json::Value& method) {
    if (method["params"].size() == 0) {
        return "\nNo params.\n";
    }
    Table table({{"PARAM"}, {"TYPE"}, {"DEFAULT"}, {""}});
    for (const json::Value& param : method["params"]) {
        const json::Value schema = param["schema"];
        const bool is_required = param["required"].as_bool().value_or(false);
        const json::Value words =
            param["description"].exists() ? param["description"] : param["summary"];
        table.add_row({print_value(param["name"]), schema_type(schema),
                       is_required ? "required" : print_value(schema["default"]),
                       words.exists() ? print_value(words) : ""});
    }
    return "\n" + table.print(Style{});
}

/// Empty where the daemon does not tell.
std::string print_result(const json::Value& method) {
    const json::Value members = method["result"]["schema"]["properties"];
    if (members.size() == 0) {
        return {};
    }
    Table table({{"RESULT"}, {"TYPE"}, {""}});
    for (auto member = members.begin(); member != members.end(); ++member) {
        const json::Value words = (*member)["description"];
        table.add_row({printable(member.key()), schema_type(*member),
                       words.exists() ? print_value(words) : ""});
    }
    return "\n" + table.print(Style{});
}

std::string print_remarks(const json::Value& method) {
    std::string errors;
    for (const json::Value& error : method["errors"]) {
        errors += (errors.empty() ? "Errors: " : ", ") + print_value(error["code"]) + " " +
                  print_value(error["message"]);
    }
    std::string out = errors.empty() ? "" : errors + "\n";
    if (method["x-access"].as_string() == "admin") {
        out += "For root, the user meshd runs as, and members of group meshd-admin.\n";
    }
    if (method["x-since"].is_string()) {
        out += "Since " + print_value(method["x-since"]) + ".\n";
    }
    if (method["x-example"].is_object()) {
        const std::string params =
            method["x-example"].size() > 0 ? " '" + method["x-example"].print() + "'" : "";
        out += "\nExample:\n  meshctl rpc " + print_value(method["name"]) + params + "\n";
    }
    return out.empty() ? out : "\n" + out;
}

ExitCode run(Context& context, const Arguments& arguments) {
    if (arguments.has("list")) {
        return show(context, "rpc.discover", "{}", list_methods);
    }
    if (!arguments.has("METHOD")) {
        return Context::fail(ExitCode::Usage, "METHOD is missing; 'meshctl rpc --list' names them");
    }
    std::string params = "{}";
    std::chrono::milliseconds wait{};
    if (arguments.has("PARAMS")) {
        const auto parsed = json::Document::parse(arguments.text("PARAMS"), json::Limits{});
        if (!parsed) {
            return Context::fail(ExitCode::Usage, "PARAMS is " + print_error(parsed.error()));
        }
        const json::Value root = parsed->root();
        if (!root.is_object() && !root.is_array()) {
            return Context::fail(ExitCode::Usage, "PARAMS is neither a JSON object nor an array");
        }
        params = root.print();
        // A call that waits on purpose is not late.
        constexpr std::int64_t kHourMs = 3'600'000;
        const std::int64_t wait_ms = root["wait_ms"].as_int().value_or(0);
        wait = std::chrono::milliseconds(wait_ms > 0 && wait_ms < kHourMs ? wait_ms : 0);
    }
    const auto reply = context.call(arguments.text("METHOD"), params, wait);
    if (!reply) {
        return reply.error();
    }
    context.write_line(reply->result().print());
    return ExitCode::Ok;
}

ExitCode run_help(Context& context, const Arguments& arguments) {
    const auto reply = context.call("rpc.discover");
    if (!reply) {
        return reply.error();
    }
    const auto text = method_help(reply->result(), arguments.text("METHOD"));
    if (!text) {
        return Context::fail(ExitCode::Usage, text.error());
    }
    if (context.is_json()) {
        for (const json::Value& method : reply->result()["methods"]) {
            if (method["name"].as_string() == arguments.text("METHOD")) {
                context.write_line(method.print());
            }
        }
        return ExitCode::Ok;
    }
    context.write(*text);
    return ExitCode::Ok;
}

constexpr std::array<Argument, 2> kArguments = {{
    {"METHOD", "name of the method, as mesh.status", false, false},
    {"PARAMS", "JSON object (or array) of its params", false, false},
}};
constexpr std::array<Option, 1> kOptions = {{{"list", "", "list the methods of the daemon"}}};

}  // namespace

tl::expected<std::string, std::string> method_help(const json::Value& document,
                                                   std::string_view name) {
    for (const json::Value& method : document["methods"]) {
        if (method["name"].as_string() != name) {
            continue;
        }
        return print_value(method["name"]) + ": " + print_value(method["summary"]) + "\n" +
               print_params(method) + print_result(method) + print_remarks(method);
    }
    return tl::unexpected("no method '" + printable(name) + "'" +
                          did_you_mean(name, method_names(document)));
}

constexpr Verb kRpcVerb = {
    .name = "rpc",
    .summary = "Call any method of the daemon and print its result",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl rpc mesh.node '{\"node_id\":\"cam-2\"}'\nmeshctl rpc --list\n"
        "meshctl rpc alerts.raise --help",
    .run = run,
    .notes = "The result is always JSON.",
    .run_help = run_help,
};

}  // namespace meshd::cli
