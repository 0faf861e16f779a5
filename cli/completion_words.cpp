// SPDX-License-Identifier: Apache-2.0
#include "cli/completion_words.h"

#include <algorithm>
#include <string_view>

#include "cli/format.h"
#include "cli/verbs.h"
#include "ipc/event_kind.h"
#include "ipc/method_table.h"

namespace meshd::cli {
namespace {

/// Help of a value in the words of the table tells what it is: the names in capitals have one
/// meaning all over.
void add_values(std::string_view name, const AskNodes& ask_nodes, Completion& out) {
    if (name == "NODE") {
        for (std::string& node : ask_nodes()) {
            out.words.push_back({std::move(node), "a box of the mesh"});
        }
    } else if (name == "METHOD") {
        for (const ipc::Method& method : ipc::methods()) {
            out.words.push_back({std::string(method.name), std::string(method.summary)});
        }
    } else if (name == "KIND") {
        for (const std::string_view kind : ipc::kEventKindNames) {
            out.words.push_back({std::string(kind)});
        }
    } else if (name == "SHELL") {
        out.words = {{"bash"}, {"zsh"}, {"fish"}};
    } else if (name == "FILE" || name == "PATH" || name == "VECTOR") {
        out.wants_files = true;
    }
}

void add_choices(std::string_view choices, Completion& out) {
    for (const std::string& choice : split(choices, '|')) {
        out.words.push_back({choice});
    }
}

/// Where a command line stands.
struct Place {
    std::string path;              ///< verb or group so far
    const Verb* verb = nullptr;    ///< where the path is one
    std::size_t arguments = 0;     ///< given behind the verb
    const Option* open = nullptr;  ///< option that waits for its value
};

const Verb* find_verb(std::string_view path) {
    const auto verbs = all_verbs();
    const auto found = std::find_if(verbs.begin(), verbs.end(),
                                    [&](const Verb* verb) { return verb->name == path; });
    return found == verbs.end() ? nullptr : *found;
}

std::vector<const Option*> options_at(const Place& place) {
    std::vector<const Option*> options;
    if (place.verb != nullptr) {
        for (const Option& option : place.verb->options) {
            options.push_back(&option);
        }
    }
    for (const Option& option : global_options()) {
        options.push_back(&option);
    }
    return options;
}

void pass_option(const std::string& word, Place& place) {
    if (word.find('=') != std::string::npos) {
        return;
    }
    for (const Option* option : options_at(place)) {
        const bool is_it = word == "--" + std::string(option->name) ||
                           (option->letter != '\0' && word == std::string{'-', option->letter});
        if (is_it && option->kind != ValueKind::Flag) {
            place.open = option;
            return;
        }
    }
}

Place place_of(std::span<const std::string> words) {
    Place place;
    for (const std::string& word : words) {
        if (place.open != nullptr) {
            place.open = nullptr;
        } else if (word.size() > 1 && word.front() == '-') {
            pass_option(word, place);
        } else if (place.verb != nullptr) {
            ++place.arguments;
        } else {
            place.path += (place.path.empty() ? "" : " ") + word;
            place.verb = find_verb(place.path);
        }
    }
    return place;
}

/// The next word of the verbs that begin with the path.
void add_verbs(const Place& place, Completion& out) {
    const std::string prefix = place.path.empty() ? "" : place.path + " ";
    for (const Verb* verb : all_verbs()) {
        if (!verb->name.starts_with(prefix)) {
            continue;
        }
        const std::string_view rest = verb->name.substr(prefix.size());
        const std::string word(rest.substr(0, rest.find(' ')));
        if (out.words.empty() || out.words.back().word != word) {
            const bool is_group = word.size() != rest.size();
            out.words.push_back({word, is_group ? word + " ..." : std::string(verb->summary)});
        }
    }
}

void add_options(const Place& place, Completion& out) {
    for (const Option* option : options_at(place)) {
        out.words.push_back({"--" + std::string(option->name), std::string(option->help)});
    }
    out.words.push_back({"--help", "this help"});
    if (place.path.empty()) {
        out.words.push_back({"--version", "version of meshctl"});
    }
}

void add_argument(const Place& place, const AskNodes& ask_nodes, Completion& out) {
    const auto arguments = place.verb->arguments;
    if (arguments.empty()) {
        return;
    }
    const std::size_t last = arguments.size() - 1;
    if (place.arguments > last && !arguments[last].is_many) {
        return;
    }
    add_values(arguments[std::min(place.arguments, last)].name, ask_nodes, out);
}

}  // namespace

Completion complete_words(std::span<const std::string> words, const AskNodes& ask_nodes) {
    const std::string typed = words.empty() ? "" : words.back();
    const Place place = place_of(words.empty() ? words : words.first(words.size() - 1));
    Completion all;
    if (place.open != nullptr) {
        place.open->kind == ValueKind::Choice ? add_choices(place.open->choices, all)
                                              : add_values(place.open->value, ask_nodes, all);
    } else if (typed.starts_with('-')) {
        add_options(place, all);
    } else if (place.verb != nullptr) {
        add_argument(place, ask_nodes, all);
    } else {
        add_verbs(place, all);
    }
    Completion fitting;
    fitting.wants_files = all.wants_files;
    std::copy_if(all.words.begin(), all.words.end(), std::back_inserter(fitting.words),
                 [&](const Candidate& candidate) { return candidate.word.starts_with(typed); });
    return fitting;
}

std::string socket_of(std::span<const std::string> words) {
    constexpr std::string_view kOption = "--socket";
    std::string socket;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == kOption && i + 2 < words.size()) {
            socket = words[i + 1];
        } else if (words[i].starts_with(std::string(kOption) + "=")) {
            socket = words[i].substr(kOption.size() + 1);
        }
    }
    return socket;
}

}  // namespace meshd::cli
