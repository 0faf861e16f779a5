// SPDX-License-Identifier: Apache-2.0
/// \file
/// Builds the parser from the rows of verbs. Only here is CLI11; it finds out what is which, the
/// checks and the words are ours.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/key_token.h"
#include "cli/suggestion.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

/// CLI11 takes a word in brackets apart where several may stand. With a mark before it, it does
/// not.
constexpr char kMark = '\x01';

std::string marked(std::string word) {
    return word.starts_with('[') || word.starts_with(kMark) ? kMark + word : word;
}

std::string unmarked(const std::string& word) {
    return word.starts_with(kMark) ? word.substr(1) : word;
}

/// "--option=value" counts by its value, too.
bool has_token(const std::string& word) {
    return looks_like_token(word) || looks_like_token(word.substr(word.find('=') + 1));
}

struct BoundOption {
    std::string name;
    bool is_flag = false;
    CLI::Option* option = nullptr;
};

/// A level of the command line: the program itself, a group of verbs, or a verb.
struct Level {
    CLI::App* app = nullptr;
    const Verb* verb = nullptr;
    CLI::Option* help = nullptr;
    std::vector<BoundOption> bound;
};

void bind_option(Level& level, const Option& option) {
    std::string name = "--" + std::string(option.name);
    if (option.letter != '\0') {
        name += std::string(",-") + option.letter;
    }
    CLI::Option* bound = nullptr;
    if (option.kind == ValueKind::Flag) {
        bound = level.app->add_flag(name);
    } else {
        bound = level.app->add_option(name);
        bound->multi_option_policy(option.is_many ? CLI::MultiOptionPolicy::TakeAll
                                                  : CLI::MultiOptionPolicy::TakeLast);
    }
    level.bound.push_back({std::string(option.name), option.kind == ValueKind::Flag, bound});
}

class Parser {
  public:
    Parser() : root_("meshctl") {
        add_level(root_, nullptr, "");
        version_ = root_.add_flag("--version");
        for (const Verb* verb : all_verbs()) {
            const std::string name(verb->name);
            const std::size_t space = name.find(' ');
            CLI::App* parent = &root_;
            if (space != std::string::npos) {
                const std::string group = name.substr(0, space);
                if (!levels_.contains(group)) {
                    add_level(*root_.add_subcommand(group), nullptr, group);
                }
                parent = levels_[group].app;
            }
            CLI::App* app = parent->add_subcommand(name.substr(space + 1));
            add_level(*app, verb, name);
        }
    }

    ExitCode run(int count, char** words) {
        try {
            // In reverse order, as the library wants them.
            std::vector<std::string> all;
            for (int i = count - 1; i > 0; --i) {
                all.push_back(marked(words[i]));
            }
            root_.parse(std::move(all));
        } catch (const CLI::ArgumentMismatch& error) {
            const std::string what = error.what();
            return usage("a value is missing behind " + what.substr(0, what.find(':')), deepest());
        } catch (const CLI::ParseError& error) {
            return usage(error.what(), deepest());
        }
        const std::vector<std::string> path = parsed_path();
        const std::string name = join(path, " ");
        const Level& level = levels_.at(name);
        std::vector<std::string> extras = root_.remaining(true);
        std::transform(extras.begin(), extras.end(), extras.begin(), unmarked);
        // CLI11 counts the mark before positional words among what it could not place.
        extras.erase(std::remove(extras.begin(), extras.end(), "--"), extras.end());
        const bool is_help_word = !extras.empty() && extras.front() == "help";
        if (is_help_word) {
            extras.erase(extras.begin());
        }
        if (version_->count() > 0) {
            return print("meshctl " MESHD_VERSION "\n");
        }
        if (const auto wrong = wrong_extra(level, name, extras)) {
            return usage(*wrong, name);
        }
        const Arguments arguments = arguments_of(path);
        const bool wants_help = is_help_word || is_help_asked(path);
        if (level.verb == nullptr) {
            if (wants_help) {
                return print(name.empty() ? overview_help() : group_help(name));
            }
            Context::say(name.empty() ? "a verb is missing" : name + " needs a verb behind it");
            std::cerr << "\n" << (name.empty() ? overview_help() : group_help(name));
            return ExitCode::Usage;
        }
        const Verb& verb = *level.verb;
        const bool has_own_help = verb.run_help != nullptr && !verb.arguments.empty() &&
                                  arguments.has(verb.arguments.front().name);
        if (wants_help && !has_own_help) {
            return print(verb_help(verb));
        }
        if (const auto wrong = usage_error(verb, arguments); wrong && !wants_help) {
            return usage(*wrong, name);
        }
        Context context(globals_of(arguments));
        const ExitCode code =
            wants_help ? verb.run_help(context, arguments) : verb.run(context, arguments);
        return context.has_lost_output() ? ExitCode::Refused : code;
    }

  private:
    void add_level(CLI::App& app, const Verb* verb, const std::string& name) {
        Level level;
        level.app = &app;
        level.verb = verb;
        app.set_help_flag();
        app.allow_extras();
        app.require_subcommand(0, verb == nullptr ? 1 : 0);
        level.help = app.add_flag("--help,-h");
        for (const Option& option : global_options()) {
            bind_option(level, option);
        }
        if (verb != nullptr) {
            for (const Option& option : verb->options) {
                bind_option(level, option);
            }
            for (const Argument& argument : verb->arguments) {
                CLI::Option* bound = app.add_option(std::string(argument.name));
                if (argument.is_many) {
                    bound->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
                }
                level.bound.push_back({std::string(argument.name), false, bound});
            }
        }
        levels_.emplace(name, std::move(level));
    }

    std::vector<std::string> parsed_path() const {
        std::vector<std::string> path;
        const CLI::App* app = &root_;
        while (!app->get_subcommands().empty()) {
            app = app->get_subcommands().front();
            path.push_back(app->get_name());
        }
        return path;
    }

    std::string deepest() const { return join(parsed_path(), " "); }

    /// Levels from the program down to the verb.
    std::vector<const Level*> levels_of(const std::vector<std::string>& path) const {
        std::vector<const Level*> out = {&levels_.at("")};
        std::string name;
        for (const std::string& word : path) {
            name += (name.empty() ? "" : " ") + word;
            out.push_back(&levels_.at(name));
        }
        return out;
    }

    bool is_help_asked(const std::vector<std::string>& path) const {
        const auto levels = levels_of(path);
        return std::any_of(levels.begin(), levels.end(),
                           [](const Level* level) { return level->help->count() > 0; });
    }

    /// What was given, from the program down, so that the nearest to the verb wins.
    Arguments arguments_of(const std::vector<std::string>& path) const {
        Arguments arguments;
        for (const Level* level : levels_of(path)) {
            for (const BoundOption& bound : level->bound) {
                if (bound.is_flag && bound.option->count() > 0) {
                    arguments.add(bound.name, "");
                } else if (!bound.is_flag) {
                    for (const std::string& value : bound.option->results()) {
                        arguments.add(bound.name, unmarked(value));
                    }
                }
            }
        }
        return arguments;
    }

    static Globals globals_of(const Arguments& arguments) {
        Globals globals;
        globals.socket = arguments.text(GlobalOption::kSocket);
        globals.is_json = arguments.has(GlobalOption::kJson);
        globals.timeout = arguments.duration(GlobalOption::kTimeout).value_or(globals.timeout);
        globals.is_quiet = arguments.has(GlobalOption::kQuiet);
        globals.style = style_of_stdout(arguments.has(GlobalOption::kNoColor));
        return globals;
    }

    std::optional<std::string> wrong_extra(const Level& level, const std::string& name,
                                           const std::vector<std::string>& extras) const {
        const auto is_option = [](const std::string& word) {
            return word.size() > 1 && word[0] == '-';
        };
        if (std::any_of(extras.begin(), extras.end(), has_token)) {
            return std::string(kNoTokenHere);
        }
        const auto word = std::find_if_not(extras.begin(), extras.end(), is_option);
        if (level.verb == nullptr && word != extras.end()) {
            return "unknown verb '" + printable((name.empty() ? "" : name + " ") + *word) + "'" +
                   nearest_verb(level, *word);
        }
        if (extras.empty()) {
            return std::nullopt;
        }
        if (!is_option(extras.front())) {
            return "'" + printable(extras.front()) + "' is one argument too many";
        }
        std::vector<std::string> known = {"--help"};
        for (const BoundOption& bound : level.bound) {
            if (bound.option->nonpositional()) {
                known.push_back("--" + bound.name);
            }
        }
        const std::string option = extras.front().substr(0, extras.front().find('='));
        return "unknown option '" + printable(option) + "'" + did_you_mean(option, known);
    }

    /// Of this level, or of another one where the word stands there.
    std::string nearest_verb(const Level& level, const std::string& word) const {
        std::vector<std::string> elsewhere;
        for (const Verb* verb : all_verbs()) {
            const std::string_view name = verb->name;
            if (name == word || name.ends_with(" " + word)) {
                elsewhere.push_back("'" + std::string(name) + "'");
            }
        }
        if (!elsewhere.empty()) {
            return "; did you mean " + join(elsewhere, " or ") + "?";
        }
        std::vector<std::string> known;
        for (const CLI::App* app : level.app->get_subcommands(nullptr)) {
            known.push_back(app->get_name());
        }
        return did_you_mean(word, known);
    }

    static ExitCode usage(const std::string& wrong, const std::string& name) {
        Context::say((name.empty() ? "" : name + ": ") + wrong);
        std::cerr << "see: meshctl " << name << (name.empty() ? "" : " ") << "--help\n";
        return ExitCode::Usage;
    }

    static ExitCode print(const std::string& text) {
        Context context(Globals{});
        return context.write(text) ? ExitCode::Ok : ExitCode::Refused;
    }

    CLI::App root_;
    CLI::Option* version_ = nullptr;
    std::map<std::string, Level> levels_;
};

}  // namespace
}  // namespace meshd::cli

int main(int count, char** words) {
    // A closed pipe is an error of write(), told by the exit code.
    std::signal(SIGPIPE, SIG_IGN);
    return static_cast<int>(meshd::cli::Parser().run(count, words));
}
