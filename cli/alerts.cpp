// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <set>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/event_line.h"
#include "cli/event_stream.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

Tone tone_of_priority(std::string_view priority) {
    if (priority == "critical") {
        return Tone::Bad;
    }
    return priority == "high" ? Tone::Warn : priority == "low" ? Tone::Dim : Tone::Plain;
}

std::string print_alert(const json::Value& alert) {
    if (alert.size() == 1 && alert["message"].is_string()) {
        return print_value(alert["message"]);
    }
    return print_value(alert);
}

std::string render_alerts(const json::Value& result, const Style& style) {
    const json::Value alerts = result["alerts"];
    if (alerts.size() == 0) {
        return "no alerts\n";
    }
    bool has_ttl = false;
    for (const json::Value& alert : alerts) {
        has_ttl = has_ttl || alert["ttl_ms"].as_double().has_value();
    }
    std::vector<Column> columns = {{"AGE", Align::Right}};
    if (has_ttl) {
        columns.push_back({"TTL", Align::Right});
    }
    columns.insert(columns.end(), {{"PRIORITY"}, {"SOURCE"}, {"HOPS", Align::Right}, {"ALERT"}});
    Table table(std::move(columns));
    for (const json::Value& alert : alerts) {
        const std::string priority = print_value(alert["priority"]);
        std::vector<Cell> row = {print_duration_ms(alert["age_ms"])};
        if (has_ttl) {
            row.emplace_back(print_duration_ms(alert["ttl_ms"]));
        }
        row.emplace_back(priority, tone_of_priority(priority));
        row.emplace_back(print_value(alert["source"]));
        row.emplace_back(print_value(alert["hops"]));
        row.emplace_back(print_alert(alert["alert"]));
        table.add_row(std::move(row));
    }
    return table.print(style);
}

std::string render_alert(const json::Value& result, const Style& style) {
    Listing rows;
    rows.add("id", print_value(result["id"]), Tone::Strong);
    rows.add("source", print_value(result["source"]));
    const std::string priority = print_value(result["priority"]);
    rows.add("priority", priority, tone_of_priority(priority));
    rows.add("age", print_duration_ms(result["age_ms"]));
    rows.add("ttl", print_duration_ms(result["ttl_ms"]));
    rows.add("dedupe key", print_value(result["dedupe_key"]));
    rows.add("hops", print_value(result["hops"]));
    rows.add("path", join(texts_of(result["path"]), " > "));
    rows.add("alert", print_alert(result["alert"]));
    return rows.print(style);
}

namespace {

std::string list_params(const Arguments& arguments) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (const auto limit = arguments.number("limit")) {
        writer.member("limit", *limit);
    }
    if (const auto since = arguments.duration("since")) {
        writer.member("since_ms", since->count());
    }
    if (arguments.has("priority")) {
        writer.member("priority", arguments.text("priority"));
    }
    if (arguments.has("node")) {
        writer.member("node_id", arguments.text("node"));
    }
    if (arguments.has("after")) {
        writer.member("after", arguments.text("after"));
    }
    writer.end_object();
    return params;
}

/// The alerts there are, oldest first, and then each new one.
class Follower {
  public:
    Follower(Context& context, const Arguments& arguments)
        : context_(context), params_(list_params(arguments)), node_(arguments.text("node")) {}

    tl::expected<void, ipc::ClientError> list(ipc::Client& client) {
        const auto reply = client.call("alerts.list", params_, context_.deadline());
        if (!reply) {
            return tl::unexpected(reply.error());
        }
        std::vector<json::Value> oldest_first;
        for (const json::Value& alert : reply->result()["alerts"]) {
            oldest_first.insert(oldest_first.begin(), alert);
        }
        for (const json::Value& alert : oldest_first) {
            listed_.emplace(alert["id"].as_string().value_or(""));
            print(alert, alert["timestamp_ms"].as_int().value_or(0));
        }
        return {};
    }

    /// An alert that came between subscribing and listing is in both.
    bool on_event(const ipc::Event& event) {
        const json::Value alert = event.data();
        if (event.kind() != "alert") {
            return context_.is_json() || print_line(print_event(event.params(), context_.style()));
        }
        const std::string_view source = alert["source"].as_string().value_or("");
        if ((!node_.empty() && source != node_) ||
            listed_.contains(alert["id"].as_string().value_or(""))) {
            return true;
        }
        return print(alert, event.params()["timestamp_ms"].as_int().value_or(0));
    }

  private:
    bool print(const json::Value& alert, std::int64_t timestamp_ms) {
        if (context_.is_json()) {
            return print_line(alert.print());
        }
        return print_line(print_alert_line(alert, timestamp_ms, context_.style()));
    }
    bool print_line(std::string line) { return context_.write_line(std::move(line)); }

    Context& context_;
    std::string params_;
    std::string node_;
    std::set<std::string, std::less<>> listed_;
};

ExitCode follow(Context& context, const Arguments& arguments) {
    EventFilter filter;
    filter.kinds = {"alert"};
    filter.priority = arguments.text("priority");
    Follower follower(context, arguments);
    return stream_events(
        context, filter, [&](ipc::Client& client) { return follower.list(client); },
        [&](const ipc::Event& event) { return follower.on_event(event); });
}

ExitCode show_one(Context& context, const Arguments& arguments) {
    for (const std::string_view other : {"limit", "priority", "node", "since", "after", "follow"}) {
        if (arguments.has(other)) {
            return Context::fail(ExitCode::Usage,
                                 "ID and --" + std::string(other) + " exclude each other");
        }
    }
    std::string params;
    json::Writer(params).begin_object().member("id", arguments.text("ID")).end_object();
    return show(context, "alerts.get", params, render_alert);
}

ExitCode run(Context& context, const Arguments& arguments) {
    if (arguments.has("ID")) {
        return show_one(context, arguments);
    }
    if (arguments.has("follow")) {
        return follow(context, arguments);
    }
    return ask(context, "alerts.list", list_params(arguments), [&](const json::Value& result) {
        if (context.write(render_alerts(result, context.style())) && result["next"].is_string()) {
            context.hint("there are more: --after " + print_value(result["next"]));
        }
    });
}

constexpr std::array<Argument, 1> kArguments = {{{"ID", "only this alert, in full", false, false}}};
constexpr std::array<Option, 6> kOptions = {{
    {"limit", "N", "at most so many (default 100)", ValueKind::Number, 1, 1000},
    {"priority", "P", "only this priority and higher", ValueKind::Choice, 0, 0,
     "low|normal|high|critical"},
    {"node", "NODE", "only those raised by this box", ValueKind::Text},
    {"since", "AGE", "only those at most so old, as 10m", ValueKind::Duration, 0, 86'400'000},
    {"after", "ID", "go on behind this alert", ValueKind::Text},
    {"follow", "", "oldest first, and then each new one as it comes"},
}};

}  // namespace

constexpr Verb kAlertsVerb = {
    .name = "alerts",
    .summary = "List the alerts this box holds, newest first, or show one in full",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl alerts --since 1h --priority high\n"
        "meshctl alerts --follow --json | jq -c .alert\n"
        "meshctl alerts cam-1.00000000000000aa.7",
    .run = run,
    .notes = "With --follow it ends with Ctrl-C, and with --json it prints one alert per line.",
};

}  // namespace meshd::cli
