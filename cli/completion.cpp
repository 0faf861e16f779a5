// SPDX-License-Identifier: Apache-2.0
// The scripts only hand the command line to `meshctl completion words`: what a shell offers is what
// this meshctl knows, and nothing of it stands in another language.
#include <array>

#include "cli/arguments.h"
#include "cli/completion_words.h"
#include "cli/context.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

/// Nobody waits longer for a list behind a key press.
constexpr std::chrono::milliseconds kPatience{1000};

// A file is completed where the list says so by an empty first word. The shell's own way with "="
// and ":" inside words is undone where it splits there.
constexpr std::string_view kBash = R"(# bash completion for meshctl
_meshctl() {
    local IFS=$'\n' line words
    COMPREPLY=()
    words=$("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    for line in $words; do
        if [ "$line" = "//files" ]; then
            compopt -o filenames 2>/dev/null
            COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done
}
complete -F _meshctl meshctl
)";

constexpr std::string_view kZsh = R"(#compdef meshctl
# zsh completion for meshctl
_meshctl() {
    local line files=0
    local -a found
    for line in "${(@f)$(${words[1]} completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == //files ]]; then
            files=1
        elif [[ -n $line ]]; then
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( ${#found} )) && _describe meshctl found
    (( files )) && _files
}
if [ "$funcstack[1]" = _meshctl ]; then
    _meshctl "$@"
else
    compdef _meshctl meshctl
fi
)";

constexpr std::string_view kFish = R"(# fish completion for meshctl
function __meshctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] completion words -- $words[2..-1] 2>/dev/null)
        if test "$line" = //files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c meshctl -f -a '(__meshctl_complete)'
)";

std::vector<std::string> node_names(const std::vector<std::string>& words, Globals globals) {
    if (const std::string socket = socket_of(words); !socket.empty()) {
        globals.socket = socket;
    }
    globals.timeout = std::min(globals.timeout, kPatience);
    std::vector<std::string> names;
    Context context(std::move(globals));
    if (const auto reply = context.try_call("mesh.nodes")) {
        for (const json::Value node : reply->result()["nodes"]) {
            names.emplace_back(node["node_id"].as_string().value_or(""));
        }
    }
    return names;
}

ExitCode list(Context& context, const std::vector<std::string>& words) {
    const Completion found =
        complete_words(words, [&] { return node_names(words, context.globals()); });
    std::string text;
    for (const Candidate& candidate : found.words) {
        text += candidate.word + "\t" + candidate.help + "\n";
    }
    text += found.wants_files ? "//files\n" : "";
    return context.write(text) ? ExitCode::Ok : ExitCode::Refused;
}

ExitCode run(Context& context, const Arguments& arguments) {
    const std::string_view shell = arguments.text("SHELL");
    if (shell == "words") {
        return list(context, arguments.all("WORD"));
    }
    const std::string_view script = shell == "bash"   ? kBash
                                    : shell == "zsh"  ? kZsh
                                    : shell == "fish" ? kFish
                                                      : "";
    if (script.empty()) {
        return Context::fail(ExitCode::Usage, "SHELL is one of bash, zsh, fish");
    }
    return context.write(script) ? ExitCode::Ok : ExitCode::Refused;
}

constexpr std::array<Argument, 2> kArguments = {
    {{"SHELL", "bash, zsh or fish; words: what the scripts of these ask", true, false},
     {"WORD", "with words: the command line so far, the last word unfinished", false, true,
      ValueKind::Any}}};

}  // namespace

constexpr Verb kCompletionVerb = {
    .name = "completion",
    .summary = "Print what makes a shell complete verbs, options and names of boxes",
    .arguments = kArguments,
    .options = {},
    .example =
        "meshctl completion bash > ~/.bash_completion\n"
        "meshctl completion zsh > ~/.zfunc/_meshctl\n"
        "meshctl completion fish > ~/.config/fish/completions/meshctl.fish",
    .run = run,
    .notes = "Names of boxes are asked of the daemon at each completion, for a second at most.",
};

}  // namespace meshd::cli
