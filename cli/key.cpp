// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/key_token.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

/// An SD card may take its time.
constexpr std::chrono::milliseconds kExtra{10'000};
constexpr std::chrono::milliseconds kPollInterval{500};

std::string key_words(const json::Value& key) {
    return "key " + print_value(key["id"]) + ", generation " + print_value(key["generation"]);
}

/// "box-3 (offline), box-4"
std::string lacking_words(const json::Value& lacking) {
    std::vector<std::string> names;
    for (const json::Value node : lacking) {
        const std::string status = print_value(node["status"]);
        names.push_back(print_value(node["node_id"]) +
                        (status == "alive" ? "" : " (" + status + ")"));
    }
    return join(names, ", ");
}

/// What the mode makes of the key; empty where it seals, and of a daemon that does not tell.
std::string mode_words(const json::Value& result) {
    const std::string mode = print_value(result["mode"]);
    if (mode == "open") {
        return "security.mode is open: nothing is sealed until it is sealed: start meshd without\n"
               "  --open, or set security.mode: sealed in meshd.yaml";
    }
    return mode == "mixed" ? "security.mode is mixed: boxes without a key take part too" : "";
}

/// "; this box seals with it from now on", where that is so.
std::string seals_words(const json::Value& result, const std::string& words) {
    return result["mode"].as_string() == "open" ? "" : words;
}

/// `text`, and what the mode makes of it in a line of its own.
std::string with_mode(const std::string& text, const json::Value& result) {
    const std::string mode = mode_words(result);
    return text + (mode.empty() ? "" : "\n") + mode;
}

std::string token_params(std::string_view token) {
    std::string params;
    json::Writer(params).begin_object().member("token", token).end_object();
    return params;
}

/// Calls the method and, but for --json, prints the token of its result alone, so that it can be
/// piped on, and `words` on standard error.
ExitCode print_token(Context& context, std::string_view method, const std::string& params,
                     std::vector<std::string> (*words)(const json::Value& result)) {
    return ask(
        context, method, params,
        [&](const json::Value& result) {
            context.write_line(print_value(result["token"]));
            for (const std::string& line : words(result)) {
                context.hint(line);
            }
        },
        kExtra);
}

ExitCode run_new(Context& context, const Arguments&) {
    return print_token(context, "keys.new", "{}", [](const json::Value& result) {
        return std::vector<std::string>{
            with_mode("made " + key_words(result) +
                          seals_words(result, "; this box seals with it from now on"),
                      result),
            "whoever has the token above is a member of the mesh; on each other box give it to\n"
            "  meshctl key join"};
    });
}

std::string joined_words(const json::Value& result) {
    if (!result["added"].as_bool().value_or(true)) {
        return key_words(result) + ", is held already";
    }
    if (!result["active"].as_bool().value_or(false)) {
        return "joined: this box holds " + key_words(result) +
               "; it stays with the one it uses now until all boxes that are alive hold the newest";
    }
    return result["mode"].as_string() == "open"
               ? "joined: this box holds " + key_words(result)
               : "joined: this box seals with " + key_words(result) + ", from now on";
}

ExitCode run_join(Context& context, const Arguments& arguments) {
    const auto token = read_token(std::string(arguments.text("file")));
    if (!token) {
        return token.error();
    }
    return order(
        context, "keys.join", token_params(*token),
        [](const json::Value& result) { return with_mode(joined_words(result), result); }, kExtra);
}

ExitCode run_list(Context& context, const Arguments& arguments) {
    return show(context, "keys.list", arguments.has("secrets") ? R"({"secrets":true})" : "{}",
                render_keys);
}

/// Until the mesh seals with the key that `made` tells of, or another one was made at the same
/// time, or the time is up.
ExitCode wait_rotated(Context& context, const json::Value& made, std::chrono::milliseconds wait) {
    const std::string id = print_value(made["id"]);
    const std::uint64_t generation = made["generation"].as_uint().value_or(0);
    const auto end = std::chrono::steady_clock::now() + wait;
    while (true) {
        const auto reply = context.call("keys.list");
        if (!reply) {
            return reply.error();
        }
        const json::Value result = reply->result();
        if (print_value(result["active"]) == id) {
            context.hint("all boxes that are alive seal with it now");
            return ExitCode::Ok;
        }
        for (const json::Value key : result["keys"]) {
            const bool is_as_new = key["generation"].as_uint().value_or(0) >= generation;
            if (key["active"].as_bool().value_or(false) && is_as_new) {
                Context::say(
                    "key " + print_value(key["id"]) +
                    ", made elsewhere at the same time, is in use; the token above is void");
                return ExitCode::Ok;
            }
        }
        if (std::chrono::steady_clock::now() >= end) {
            std::string lacking;
            for (const json::Value key : result["keys"]) {
                lacking = print_value(key["id"]) == id ? lacking_words(key["lacking"]) : lacking;
            }
            return Context::fail(ExitCode::Partial,
                                 "the time is up, and the old key is in use still" +
                                     (lacking.empty() ? "" : "; without the new one: " + lacking));
        }
        std::this_thread::sleep_for(kPollInterval);
    }
}

ExitCode run_rotate(Context& context, const Arguments& arguments) {
    const auto reply = ask_for(
        context, "keys.rotate", "{}",
        [&](const json::Value& result) {
            context.write_line(print_value(result["token"]));
            context.hint("made " + key_words(result) +
                         "; the boxes go over to it once all that are alive hold it: see\n"
                         "  meshctl key ls");
            context.hint(
                "boxes that are away get it when they return, until the old key is removed; the\n"
                "  token above is for those that come later still");
        },
        kExtra);
    if (!reply) {
        return reply.error();
    }
    const auto wait = arguments.duration("wait");
    return wait ? wait_rotated(context, reply->result(), *wait) : ExitCode::Ok;
}

ExitCode run_remove(Context& context, const Arguments& arguments) {
    if (looks_like_token(arguments.text("KEY"))) {
        return Context::fail(ExitCode::Usage,
                             "KEY is the id of a key (8 hex digits, see meshctl key ls), never its "
                             "token");
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("id", arguments.text("KEY"));
    if (arguments.has("force")) {
        writer.member("force", true);
    }
    writer.end_object();
    return order(
        context, "keys.remove", params,
        [](const json::Value& result) {
            const std::string lacking = lacking_words(result["lacking"]);
            return "removed key " + print_value(result["id"]) +
                   " from this box; the others remove theirs by the same command" +
                   (lacking.empty() ? "" : "\nlocked out: " + lacking);
        },
        kExtra);
}

ExitCode run_replace(Context& context, const Arguments& arguments) {
    if (!arguments.has("join") && !arguments.has("file")) {
        return print_token(context, "keys.replace", "{}", [](const json::Value& result) {
            return std::vector<std::string>{
                with_mode("made " + key_words(result) +
                              seals_words(result,
                                          "; this box has left all others behind: only boxes with "
                                          "the token above\n  are members now"),
                          result),
                "on each other box that is to stay give it to\n  meshctl key replace --join"};
        });
    }
    const auto token = read_token(std::string(arguments.text("file")));
    if (!token) {
        return token.error();
    }
    return order(
        context, "keys.replace", token_params(*token),
        [](const json::Value& result) {
            return with_mode("this box " + seals_words(result, "seals with ") +
                                 (result["mode"].as_string() == "open" ? "holds " : "") +
                                 key_words(result) + ", and has no other key",
                             result);
        },
        kExtra);
}

constexpr Option kFileOption = {
    "file", "F", "read the token from this file, or from standard input for -", ValueKind::Path};
constexpr std::array<Option, 1> kJoinOptions = {{kFileOption}};
constexpr std::array<Option, 1> kListOptions = {
    {{"secrets", "", "with the token of each key: whoever sees it is a member"}}};
constexpr std::array<Option, 1> kRotateOptions = {
    {{"wait", "S", "wait so long until the boxes seal with it, else exit code 4",
      ValueKind::Duration, 1, 24 * 3600 * 1000}}};
constexpr std::array<Option, 1> kRemoveOptions = {
    {{"force", "",
      "also where a known box lacks the key in use: it is locked out; also a newer key"}}};
constexpr std::array<Option, 2> kReplaceOptions = {
    {{"join", "", "take over the token of another box, as meshctl key join does"}, kFileOption}};
constexpr std::array<Argument, 1> kRemoveArguments = {
    {{"KEY", "id of the old key, as meshctl key ls shows it"}}};

constexpr std::string_view kWho =
    "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).";

}  // namespace

std::string render_keys(const json::Value& result, const Style& style) {
    const std::string mode = print_value(result["mode"]);
    if (result["keys"].size() == 0) {
        return std::string("no mesh key") +
               (mode == "sealed" ? ": this box speaks with nobody" : "") +
               "; the first box gets one by\n  meshctl key new\nall others by\n"
               "  meshctl key join\n";
    }
    std::uint64_t active = 0;
    for (const json::Value key : result["keys"]) {
        active = key["active"].as_bool().value_or(false) ? key["generation"].as_uint().value_or(0)
                                                         : active;
    }
    Table table({{"KEY"},
                 {"GENERATION", Align::Right},
                 {"STATE"},
                 {"ORIGIN"},
                 {"BOXES", Align::Right},
                 {"WITHOUT IT"}});
    std::string tokens;
    for (const json::Value key : result["keys"]) {
        const std::uint64_t generation = key["generation"].as_uint().value_or(0);
        const bool is_active = key["active"].as_bool().value_or(false);
        const std::string lacking = lacking_words(key["lacking"]);
        table.add_row(
            {print_value(key["id"]), std::to_string(generation),
             Cell(is_active             ? "active"
                  : generation > active ? "next"
                                        : "old",
                  is_active ? Tone::Good : Tone::Plain),
             print_value(key["origin"]),
             print_value(key["confirmed"]) + " of " + print_value(key["nodes"]),
             Cell(lacking.empty() ? "-" : lacking, is_active ? Tone::Warn : Tone::Plain)});
        if (key["token"].is_string()) {
            tokens += print_value(key["id"]) + "  " + print_value(key["token"]) + "\n";
        }
    }
    std::string text = table.print(style) + (tokens.empty() ? "" : "\n" + tokens);
    if (mode != "sealed") {
        text += "security.mode is " + mode +
                (mode == "mixed" ? ": boxes without a key take part too\n"
                                 : ": nothing is sealed, whoever reaches the port takes part\n");
    }
    return text;
}

constexpr Verb kKeyNewVerb = {
    .name = "key new",
    .summary = "Make the first key of a mesh, on its first box",
    .arguments = {},
    .options = {},
    .example = "meshctl key new\nmeshctl key new | ssh root@cam-2 meshctl key join",
    .run = run_new,
    .notes =
        "Prints the token, by which the other boxes join, and nothing else on standard "
        "output.\n"
        "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).",
};

constexpr Verb kKeyJoinVerb = {
    .name = "key join",
    .summary = "Take over the key of a mesh, by its token",
    .arguments = {},
    .options = kJoinOptions,
    .example = "meshctl key join\nmeshctl key join --file /media/usb/token",
    .run = run_join,
    .notes =
        "The token is asked for and not shown, or read from a pipe or a file. It is never an\n"
        "argument: every user of a box can read its command lines.\n"
        "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).",
};

constexpr Verb kKeyLsVerb = {
    .name = "key ls",
    .summary = "List the keys, and which boxes lack which",
    .arguments = {},
    .options = kListOptions,
    .example = "meshctl key ls\nmeshctl key ls --secrets",
    .run = run_list,
    .notes = kWho,
};

constexpr Verb kKeyReplaceVerb = {
    .name = "key replace",
    .summary = "Leave all keys for another one: expels who lacks it",
    .arguments = {},
    .options = kReplaceOptions,
    .example = "meshctl key replace\nmeshctl key replace --join",
    .run = run_replace,
    .notes =
        "For a stolen box: replace on one box, then replace --join on each of the others. It is\n"
        "carried by hand because whatever the mesh carries the stolen box can read.\n"
        "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).",
};

constexpr Verb kKeyRotateVerb = {
    .name = "key rotate",
    .summary = "Make a newer key, and let all boxes go over to it",
    .arguments = {},
    .options = kRotateOptions,
    .example = "meshctl key rotate --wait 60",
    .run = run_rotate,
    .notes =
        "Nothing is interrupted. The old key stays until meshctl key rm, so that boxes that are\n"
        "away now can return.\n"
        "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).",
};

constexpr Verb kKeyRmVerb = {
    .name = "key rm",
    .summary = "Remove an old key from this box",
    .arguments = kRemoveArguments,
    .options = kRemoveOptions,
    .example = "meshctl key rm 1a098fca",
    .run = run_remove,
    .notes =
        "Refused for the key in use, and while a known box lacks it, which could not return then\n"
        "(meshctl forget is for scrapped ones).\n"
        "Only root, the daemon's user and members of group meshd-admin may (else exit code 5).",
};

}  // namespace meshd::cli
