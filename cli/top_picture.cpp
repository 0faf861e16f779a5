// SPDX-License-Identifier: Apache-2.0
#include "cli/top_picture.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>

#include "cli/render.h"
#include "cli/table.h"

namespace meshd::cli {
namespace {

/// Where the loss of exchanges makes a link lossy, and then bad.
constexpr double kLossy = 0.15;
constexpr double kBad = 0.45;
/// Fewer rows of nodes are not worth a title: the alerts give way.
constexpr std::size_t kNodeRowsMin = 3;
constexpr std::size_t kAlertsMax = 6;
constexpr std::size_t kWarningsMax = 2;

struct Row {
    std::string name;
    std::string status;
    bool is_own = false;
    json::Value node;
    json::Value peer;
    double hops = 0;
    double rtt = 0;
    double loss = 0;
    double seen = 0;
};

/// What is not known comes last.
double number(const json::Value& value) {
    return value.as_double().value_or(std::numeric_limits<double>::infinity());
}

int rank_of(std::string_view status) {
    // What needs somebody comes first.
    return status == "offline" ? 0 : status == "unreachable" ? 1 : status == "alive" ? 2 : 3;
}

std::vector<Row> rows_of(const TopFacts& facts) {
    std::map<std::string, json::Value> peers;
    for (const json::Value& peer : facts.peers["peers"]) {
        peers[print_value(peer["node_id"])] = peer;
    }
    std::vector<Row> rows;
    for (const json::Value& node : facts.nodes["nodes"]) {
        Row row;
        row.name = print_value(node["node_id"]);
        row.status = print_value(node["status"]);
        row.is_own = node["hops"].as_int() == 0;
        row.node = node;
        if (const auto peer = peers.find(row.name); peer != peers.end()) {
            row.peer = peer->second;
        }
        row.hops = number(node["hops"]);
        row.rtt = number(row.peer["rtt_ms"]);
        row.loss = row.peer.exists() ? -row.peer["loss"].as_double().value_or(0) : 1;
        row.seen = number(node["last_seen_ms"]);
        rows.push_back(std::move(row));
    }
    return rows;
}

void sort_rows(std::vector<Row>& rows, TopSort sort, bool is_reversed) {
    const auto key = [sort](const Row& row) -> double {
        switch (sort) {
            case TopSort::Name:
                return 0;
            case TopSort::Status:
                return rank_of(row.status);
            case TopSort::Hops:
                return row.hops;
            case TopSort::Rtt:
                return row.rtt;
            case TopSort::Loss:
                return row.loss;
            case TopSort::Seen:
                return -row.seen;
        }
        return 0;
    };
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
        const double of_a = key(a);
        const double of_b = key(b);
        return of_a != of_b ? of_a < of_b : natural_less(a.name, b.name);
    });
    if (is_reversed) {
        std::reverse(rows.begin(), rows.end());
    }
}

Cell loss_cell(const Row& row) {
    if (!row.peer.exists()) {
        return {std::string("-"), Tone::Dim};
    }
    const double loss = row.peer["loss"].as_double().value_or(0);
    return {print_share(loss), loss > kBad ? Tone::Bad : loss > kLossy ? Tone::Warn : Tone::Plain};
}

/// A column, and the narrowest terminal that has it.
struct NodeColumn {
    Column column;
    std::size_t width_min;
    Cell (*cell)(const Row& row);
};
constexpr std::array<NodeColumn, 10> kNodeColumns = {{
    {{"NODE"},
     0,
     [](const Row& row) -> Cell {
         return {row.name + (row.is_own ? "*" : ""), row.is_own ? Tone::Strong : Tone::Plain};
     }},
    {{"STATUS"},
     0,
     [](const Row& row) -> Cell {
         return {print_status(row.node), tone_of_status(row.status)};
     }},
    {{"ACTIVITY"}, 72, [](const Row& row) -> Cell { return print_value(row.node["activity"]); }},
    {{"HOPS", Align::Right},
     40,
     [](const Row& row) -> Cell { return print_value(row.node["hops"]); }},
    {{"RTT", Align::Right},
     30,
     [](const Row& row) -> Cell {
         return row.peer.exists() ? print_duration_ms(row.peer["rtt_ms"]) : std::string("-");
     }},
    {{"LOSS", Align::Right}, 36, loss_cell},
    {{"UP", Align::Right},
     84,
     [](const Row& row) -> Cell {
         return row.peer.exists() ? print_duration_s(row.peer["up_for_s"]) : std::string("-");
     }},
    {{"QUEUED", Align::Right},
     96,
     [](const Row& row) -> Cell {
         return row.peer.exists() ? print_value(row.peer["queued"]) : std::string("-");
     }},
    {{"SEEN", Align::Right},
     56,
     [](const Row& row) -> Cell {
         return row.is_own ? std::string("-") : print_duration_ms(row.node["last_seen_ms"]);
     }},
    {{"ADDRESS"}, 64, [](const Row& row) -> Cell { return print_value(row.node["address"]); }},
}};

/// A title, then a line for each row. Where a terminal is too narrow even so, lines are cut, which
/// takes their colours.
std::vector<std::string> node_lines(const std::vector<Row>& rows, std::size_t width,
                                    const Style& style) {
    std::vector<Column> columns;
    for (const NodeColumn& one : kNodeColumns) {
        if (width >= one.width_min) {
            columns.push_back(one.column);
        }
    }
    Table table(std::move(columns));
    for (const Row& row : rows) {
        std::vector<Cell> cells;
        for (const NodeColumn& one : kNodeColumns) {
            if (width >= one.width_min) {
                cells.push_back(one.cell(row));
            }
        }
        table.add_row(std::move(cells));
    }
    std::vector<std::string> plain = split(table.print({false, width}), '\n');
    std::vector<std::string> painted = split(table.print({style.has_color, width}), '\n');
    for (std::size_t i = 0; i < plain.size(); ++i) {
        if (width_of(plain[i]) > width) {
            painted[i] = cut(plain[i], width);
        }
    }
    return painted;
}

std::vector<std::string> head_lines(const TopFacts& facts, const TopRates& rates,
                                    const TopOptions& options) {
    const Style& style = options.style;
    const json::Value status = facts.status;
    std::vector<std::string> lines;
    const auto add = [&](const std::string& text, Tone tone) {
        lines.push_back(style.paint(cut(text, options.columns), tone));
    };
    if (!options.banner.empty()) {
        add(options.banner, Tone::Bad);
    }
    add(print_value(status["node_id"]) + "  mesh " + print_value(status["mesh"]) + ", " +
            print_value(status["security"]) + "  up " + print_duration_s(status["uptime_s"]) +
            "  " + print_value(status["nodes_alive"]) + " of " +
            print_value(status["nodes_known"]) + " boxes alive  " +
            print_count(status["peers"].as_uint().value_or(0), "link", "links") +
            (options.time.empty() ? "" : "  " + options.time),
        Tone::Strong);
    const auto rate = [](double bytes, double datagrams) {
        return print_size(bytes) + "/s, " +
               std::to_string(static_cast<std::uint64_t>(datagrams + 0.5)) + " datagrams/s";
    };
    add("in " + rate(rates.bytes_in, rates.datagrams_in) + "  out " +
            rate(rates.bytes_out, rates.datagrams_out) + "  dropped " +
            std::to_string(static_cast<std::uint64_t>(rates.drops + 0.5)) + "/s",
        Tone::Plain);
    const json::Value store = status["store"];
    const auto unwritten = store["unwritten"].as_uint().value_or(0);
    add("store " + print_count(store["records"].as_uint().value_or(0), "record", "records") + ", " +
            print_size(store["bytes"].as_double().value_or(0)) + "  " +
            print_count(store["entries"].as_uint().value_or(0), "entry", "entries") + "  " +
            print_count(store["alerts"].as_uint().value_or(0), "alert", "alerts") +
            (unwritten > 0 ? "  " + std::to_string(unwritten) + " unwritten" : ""),
        Tone::Plain);
    const std::vector<std::string> warnings = texts_of(status["warnings"]);
    for (std::size_t i = 0; i < std::min(warnings.size(), kWarningsMax); ++i) {
        add("! " + warnings[i], Tone::Warn);
    }
    return lines;
}

std::string_view sort_name(TopSort sort) {
    switch (sort) {
        case TopSort::Name:
            return "name";
        case TopSort::Status:
            return "status";
        case TopSort::Hops:
            return "hops";
        case TopSort::Rtt:
            return "rtt";
        case TopSort::Loss:
            return "loss";
        case TopSort::Seen:
            return "seen";
    }
    return {};
}

}  // namespace

TopRates rates_between(const json::Value& before, const json::Value& after, double seconds) {
    const auto rate = [&](const json::Value& was, const json::Value& is) {
        const double a = was.as_double().value_or(0);
        const double b = is.as_double().value_or(0);
        return b >= a && seconds > 0 ? (b - a) / seconds : 0;
    };
    TopRates rates;
    rates.bytes_in = rate(before["bytes_received"], after["bytes_received"]);
    rates.bytes_out = rate(before["bytes_sent"], after["bytes_sent"]);
    rates.datagrams_in = rate(before["datagrams_received"], after["datagrams_received"]);
    rates.datagrams_out = rate(before["datagrams_sent"], after["datagrams_sent"]);
    const json::Value drops = after["drops"];
    for (auto it = drops.begin(); it != drops.end(); ++it) {
        rates.drops += rate(before["drops"][it.key()], *it);
    }
    return rates;
}

std::string top_banner(bool is_gone, std::chrono::milliseconds silent,
                       std::chrono::milliseconds interval) {
    constexpr std::chrono::milliseconds kPatience{3000};
    if (is_gone) {
        return "no meshd answers; waiting until it is back";
    }
    return silent > std::max(kPatience, 2 * interval)
               ? "no answer for " +
                     print_duration(static_cast<double>(
                         std::chrono::floor<std::chrono::seconds>(silent).count() * 1000)) +
                     "; waiting until the daemon answers again"
               : "";
}

TopPicture top_banner_alone(const TopOptions& options) {
    TopPicture picture;
    picture.lines.push_back(options.style.paint(cut(options.banner, options.columns), Tone::Bad));
    return picture;
}

TopPicture top_picture(const TopFacts& facts, const TopRates& rates,
                       const std::vector<TopAlert>& alerts, const TopOptions& options) {
    std::vector<Row> rows = rows_of(facts);
    sort_rows(rows, options.sort, options.is_reversed);
    const std::vector<std::string> nodes = node_lines(rows, options.columns, options.style);
    TopPicture picture;
    picture.lines = head_lines(facts, rates, options);
    const std::size_t all = rows.size();
    std::size_t alert_count = std::min(alerts.size(), kAlertsMax);
    picture.page = all;
    if (options.rows > 0) {
        // Head, title of the nodes, and the keys; what is left is for nodes, then for alerts.
        const std::size_t fixed = picture.lines.size() + 2;
        const std::size_t rest = options.rows > fixed ? options.rows - fixed : 0;
        const std::size_t wanted = std::min(all, std::max(kNodeRowsMin, rest / 2));
        alert_count = rest > wanted + 1 ? std::min(alert_count, rest - wanted - 1) : 0;
        picture.page = std::min(all, rest - (alert_count > 0 ? alert_count + 1 : 0));
    }
    picture.first = std::min(options.first, all - picture.page);
    picture.lines.push_back(nodes.front());
    for (std::size_t i = 0; i < picture.page; ++i) {
        picture.lines.push_back(nodes[1 + picture.first + i]);
    }
    if (alert_count > 0) {
        picture.lines.push_back(options.style.paint(cut("ALERTS", options.columns), Tone::Dim));
        for (std::size_t i = alerts.size() - alert_count; i < alerts.size(); ++i) {
            picture.lines.push_back(
                options.style.paint(cut(alerts[i].text, options.columns), alerts[i].tone));
        }
    }
    if (options.rows > 0) {
        const std::string shown = picture.page < all
                                      ? std::to_string(picture.first + 1) + "-" +
                                            std::to_string(picture.first + picture.page) + " of " +
                                            std::to_string(all) + "  "
                                      : std::string();
        const std::string keys =
            shown + "q quit  by " + std::string(sort_name(options.sort)) +
            (options.is_reversed ? ", reversed" : "") +
            "; sort: n name, s status, h hops, t rtt, l loss, e seen, r reverse";
        while (picture.lines.size() + 1 < options.rows) {
            picture.lines.emplace_back();
        }
        if (picture.lines.size() >= options.rows) {
            picture.lines.resize(options.rows - 1);
        }
        picture.lines.push_back(options.style.paint(cut(keys, options.columns), Tone::Dim));
    }
    return picture;
}

}  // namespace meshd::cli
