// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/render.h"
#include "cli/state_patch.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_state(const json::Value& result, const Style& style) {
    std::string out = style.paint(print_value(result["node_id"]), Tone::Strong) + "  " +
                      print_value(result["activity"]) + ", written " +
                      print_duration_ms(result["age_ms"]) + " ago\n";
    const json::Value state = result["state"];
    if (state.size() == 0) {
        return out + "  (empty)\n";
    }
    Listing rows;
    for (auto it = state.begin(); it != state.end(); ++it) {
        rows.add("  " + printable(it.key()), print_value(*it));
    }
    return out + rows.print(style);
}

std::string render_shared(const json::Value& result, const Style& style) {
    std::string out;
    if (const json::Value changed = result["changed"]; changed.is_array()) {
        out = changed.size() == 0 ? "nothing changed\n"
                                  : "changed: " + join(texts_of(changed), ", ") + "\n";
    } else if (changed.exists()) {
        out = "changed: " + print_value(changed) + "\n";
    }
    const json::Value state = result["state"];
    if (state.is_null()) {
        return out + "the shared state is too large to show in one piece: ask by --key\n";
    }
    if (state.size() == 0) {
        return out + "the shared state is empty\n";
    }
    const json::Value members = result["members"];
    std::vector<Column> columns = {{"KEY"}};
    if (members.exists()) {
        columns.insert(columns.end(), {{"BY"}, {"AGE", Align::Right}});
    }
    columns.push_back({"VALUE"});
    Table table(std::move(columns));
    for (auto it = state.begin(); it != state.end(); ++it) {
        std::vector<Cell> row = {std::string(it.key())};
        if (members.exists()) {
            const json::Value member = members[it.key()];
            row.emplace_back(print_value(member["by"]));
            row.emplace_back(print_duration_ms(member["age_ms"]));
        }
        row.emplace_back(print_value(*it));
        table.add_row(std::move(row));
    }
    return out + table.print(style);
}

tl::expected<std::string, std::string> state_patch(std::span<const std::string> words) {
    constexpr json::Limits kLimits{};
    if (words.size() == 1 && words[0].starts_with('{')) {
        const auto parsed = json::Document::parse(words[0], kLimits);
        if (!parsed) {
            return tl::unexpected("the patch is " + print_error(parsed.error()));
        }
        return parsed->root().print();
    }
    std::string patch;
    json::Writer writer(patch);
    writer.begin_object();
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return tl::unexpected("'" + printable(word) +
                                  "' is neither KEY=VALUE nor a JSON object");
        }
        const std::string value = word.substr(equals + 1);
        writer.key(word.substr(0, equals));
        const auto parsed = json::Document::parse(value, kLimits);
        parsed ? writer.value(parsed->root()) : writer.string(value);
    }
    writer.end_object();
    if (const auto parsed = json::Document::parse(patch, kLimits); !parsed) {
        // Each value stands alone in the shell, but a key may come twice.
        return tl::unexpected("the patch is " + print_error(parsed.error()));
    }
    return patch;
}

namespace {

ExitCode run_get(Context& context, const Arguments& arguments) {
    if (arguments.has("mesh")) {
        if (arguments.has("NODE")) {
            return Context::fail(ExitCode::Usage, "NODE and --mesh exclude each other");
        }
        std::string params;
        json::Writer writer(params);
        writer.begin_object().member("scope", "mesh");
        if (arguments.has("key")) {
            writer.member("key", arguments.text("key"));
        }
        writer.end_object();
        return show(context, "state.get", params, render_shared);
    }
    if (arguments.has("key")) {
        return Context::fail(ExitCode::Usage, "--key is for --mesh");
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (arguments.has("NODE")) {
        writer.member("node_id", arguments.text("NODE"));
    }
    writer.end_object();
    return show(context, "state.get", params, render_state);
}

ExitCode run_set(Context& context, const Arguments& arguments) {
    const auto& words = arguments.all("CHANGE");
    const bool is_mesh = arguments.has("mesh");
    if (is_mesh && arguments.has("activity")) {
        return Context::fail(ExitCode::Usage, "--mesh and --activity exclude each other");
    }
    if (is_mesh && words.empty()) {
        return Context::fail(ExitCode::Usage, "state set --mesh needs KEY=VALUE or a JSON object");
    }
    if (words.empty() && !arguments.has("activity")) {
        return Context::fail(ExitCode::Usage,
                             "state set needs KEY=VALUE, a JSON object or --activity");
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (is_mesh) {
        writer.member("scope", "mesh");
    }
    if (!words.empty()) {
        const auto patch = state_patch(words);
        if (!patch) {
            return Context::fail(ExitCode::Usage, patch.error());
        }
        writer.member_raw("patch", *patch);
    }
    if (arguments.has("activity")) {
        writer.member("activity", arguments.text("activity"));
    }
    writer.end_object();
    return show(context, "state.update", params, is_mesh ? render_shared : render_state);
}

constexpr std::array<Argument, 1> kGetArguments = {
    {{"NODE", "whose; this box's where none is given", false, false}}};
constexpr std::array<Argument, 1> kSetArguments = {
    {{"CHANGE", "KEY=VALUE (a JSON value, else a text; null deletes), or one JSON merge patch",
      false, true}}};
constexpr std::array<Option, 2> kGetOptions = {{
    {"mesh", "", "the state that all boxes share, and who wrote what"},
    {"key", "K", "with --mesh: only this key", ValueKind::Text},
}};
constexpr std::array<Option, 2> kSetOptions = {{
    {"mesh", "", "change the state that all boxes share, one value for each KEY"},
    {"activity", "A", "what this box says it is doing", ValueKind::Choice, 0, 0,
     "ACTIVE|IDLE|PROCESSING"},
}};

}  // namespace

constexpr Verb kStateGetVerb = {
    .name = "state get",
    .summary = "Show the state document of a box, or the state all boxes share",
    .arguments = kGetArguments,
    .options = kGetOptions,
    .example =
        "meshctl state get\nmeshctl state get cam-2 --json | jq .state\n"
        "meshctl state get --mesh",
    .run = run_get,
};

constexpr Verb kStateSetVerb = {
    .name = "state set",
    .summary = "Change the state document of this box, or the state all boxes share",
    .arguments = kSetArguments,
    .options = kSetOptions,
    .example =
        "meshctl state set temperature=41.5 mode=night old_key=null\n"
        "meshctl state set '{\"camera\":{\"fps\":25}}' --activity PROCESSING\n"
        "meshctl state set --mesh mode=night limits='{\"speed\":30}'",
    .run = run_set,
    .notes =
        "The patch is a JSON merge patch (RFC 7396); the whole document goes to every box. With\n"
        "--mesh each KEY is a record of its own: any box may write it, and the newest value wins.",
};

}  // namespace meshd::cli
