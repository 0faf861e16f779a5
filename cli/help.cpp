// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <vector>

#include "cli/format.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

std::string option_form(const Option& option) {
    std::string out = "--" + std::string(option.name);
    if (!option.value.empty()) {
        out += " " + std::string(option.value);
    }
    return out;
}

/// The same with its short form, for the list of options.
std::string option_forms(const Option& option) {
    return (option.letter == '\0' ? "" : std::string("-") + option.letter + ", ") +
           option_form(option);
}

std::string argument_form(const Argument& argument) {
    std::string out(argument.name);
    if (argument.is_many) {
        out += "...";
    }
    return argument.is_required ? out : "[" + out + "]";
}

std::string option_help(const Option& option) {
    std::string out(option.help);
    if (option.kind == ValueKind::Choice) {
        out += ": " + join(split(option.choices, '|'), ", ");
    }
    return out;
}

std::string rows_below(std::string_view title, const Listing& rows) {
    std::string out = "\n" + std::string(title) + ":\n";
    std::string text = rows.print(Style{});
    text.pop_back();
    for (const std::string& line : split(text, '\n')) {
        out += "  " + line + "\n";
    }
    return out;
}

std::string global_rows(bool with_version) {
    Listing rows;
    for (const Option& option : global_options()) {
        rows.add(option_form(option), option_help(option));
    }
    rows.add("--help", "this help");
    if (with_version) {
        rows.add("--version", "version of meshctl");
    }
    return rows_below("Options of every verb", rows);
}

std::string examples(const Verb& verb) {
    std::string out = "\nExample:\n";
    for (const std::string& line : split(verb.example, '\n')) {
        out += "  " + line + "\n";
    }
    return out;
}

std::vector<std::string> usage_parts(const Verb& verb) {
    std::vector<std::string> parts = {"meshctl " + std::string(verb.name)};
    for (const Option& option : verb.options) {
        parts.push_back("[" + option_form(option) + "]" + (option.is_many ? "..." : ""));
    }
    for (const Argument& argument : verb.arguments) {
        parts.push_back(argument_form(argument));
    }
    return parts;
}

}  // namespace

std::string usage_line(const Verb& verb) {
    return join(usage_parts(verb), " ");
}

std::string verb_help(const Verb& verb) {
    constexpr std::string_view kUsage = "Usage: ";
    constexpr std::size_t kWidth = 100;
    std::string out = std::string(verb.summary) + ".\n\n" + std::string(kUsage) +
                      wrap(usage_parts(verb), " ", kWidth - kUsage.size(), kUsage.size()) + "\n";
    if (!verb.arguments.empty()) {
        Listing rows;
        for (const Argument& argument : verb.arguments) {
            rows.add(argument_form(argument), std::string(argument.help));
        }
        out += rows_below("Arguments", rows);
    }
    if (!verb.options.empty()) {
        Listing rows;
        for (const Option& option : verb.options) {
            rows.add(option_forms(option), option_help(option));
        }
        out += rows_below("Options", rows);
    }
    out += global_rows(false);
    if (!verb.notes.empty()) {
        out += "\n" + std::string(verb.notes) + "\n";
    }
    return out + examples(verb);
}

std::string group_help(std::string_view group) {
    Listing rows;
    for (const Verb* verb : all_verbs()) {
        if (verb->name.starts_with(std::string(group) + " ")) {
            rows.add(std::string(verb->name), std::string(verb->summary));
        }
    }
    return "Usage: meshctl " + std::string(group) + " VERB ...\n" + rows_below("Verbs", rows) +
           "\nmeshctl " + std::string(group) + " VERB --help says more.\n";
}

std::string overview_help() {
    Listing rows;
    for (const Verb* verb : all_verbs()) {
        rows.add(std::string(verb->name), std::string(verb->summary));
    }
    return "meshctl shows and steers the mesh through the meshd of this box.\n\n"
           "Usage: meshctl [--socket PATH] [--json] [--timeout S] VERB ...\n" +
           rows_below("Verbs", rows) + global_rows(true) +
           "\nThe socket: --socket, else $MESHD_SOCKET, else /run/meshd/meshd.sock and then\n"
           "$XDG_RUNTIME_DIR/meshd/meshd.sock, whichever answers first.\n"
           "Exit codes: 0 ok, 1 refused, 2 usage, 3 no daemon, 4 timeout or partial,\n"
           "5 not permitted. meshctl VERB --help says more about a verb.\n"
           "\nExample:\n"
           "  meshctl nodes\n"
           "  meshctl alert '{\"type\":\"intrusion\"}' --priority critical\n";
}

}  // namespace meshd::cli
