// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <optional>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/event_line.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/render.h"
#include "cli/screen.h"
#include "cli/top_picture.h"
#include "cli/verbs.h"
#include "ipc/client/event_client.h"

namespace meshd::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kIntervalDefault{1000};
constexpr milliseconds kReconnectPause{1000};
/// Rates are those of so long: what an idle mesh sends comes in bursts, a second apart.
constexpr milliseconds kRateWindow{3000};
constexpr std::size_t kAlertsKept = 50;
constexpr std::array<std::string_view, 4> kMethods = {"mesh.status", "mesh.stats", "mesh.nodes",
                                                      "mesh.peers"};

std::string time_of_day() {
    const auto now = std::chrono::duration_cast<milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return print_time_of_day(now.count()).substr(0, 8);
}

/// One answer of each method.
struct Round {
    std::array<std::optional<ipc::Reply>, kMethods.size()> replies;
    Clock::time_point at;

    bool is_whole() const {
        return std::all_of(replies.begin(), replies.end(),
                           [](const auto& reply) { return reply.has_value(); });
    }
    json::Value result(std::size_t i) const { return replies[i]->result(); }
    TopFacts facts() const { return {result(0), result(1), result(2), result(3)}; }
};

TopRates rates_of(const Round& before, const Round& now) {
    return rates_between(before.result(1), now.result(1),
                         std::chrono::duration<double>(now.at - before.at).count());
}

TopAlert top_alert(const json::Value& alert, const json::Value& timestamp_ms) {
    return {print_alert_line(alert, timestamp_ms.as_int().value_or(0), Style{}),
            tone_of_priority(alert["priority"].as_string().value_or(""))};
}

/// What the daemon tells, by one connection: results each interval, alerts as they come.
class Feed {
  public:
    explicit Feed(const Context& context) : context_(context) {}

    /// True where there is a connection, now or by this call.
    bool open() {
        if (client_) {
            return true;
        }
        auto client =
            ipc::EventClient::connect(context_.sockets(), Clock::now() + milliseconds(200));
        if (!client) {
            error_ = client.error();
            return false;
        }
        client_.emplace(std::move(*client));
        waiting_.reset();
        client_->subscribe(R"({"kinds":["alert"]})", context_.deadline(),
                           [this](const ipc::Event& event) { add_alert(event.params()); },
                           [](const auto&) {});
        if (alerts_.empty()) {
            ask_alerts();
        }
        return true;
    }
    /// Asks for a new round where none is under way.
    void ask() {
        if (!client_ || waiting_) {
            return;
        }
        waiting_.emplace();
        for (std::size_t i = 0; i < kMethods.size(); ++i) {
            client_->call(kMethods[i], "{}", context_.deadline(), [this, i](auto reply) {
                if (reply && waiting_) {
                    waiting_->replies[i].emplace(std::move(*reply));
                } else {
                    has_failed_ = true;
                }
            });
        }
    }
    int descriptor() const { return client_ ? client_->descriptor() : -1; }
    short wanted() const { return client_ ? client_->wanted() : short{0}; }
    /// True where there is something new to show.
    bool dispatch() {
        if (!client_) {
            return false;
        }
        const bool had_alerts = has_new_alerts_;
        if (!client_->dispatch() || has_failed_) {
            error_ = client_->error().value_or(ipc::ClientError{});
            has_failed_ = false;
            client_.reset();
            waiting_.reset();
            return true;
        }
        if (waiting_ && waiting_->is_whole()) {
            waiting_->at = Clock::now();
            rounds_.push_back(std::move(*waiting_));
            waiting_.reset();
            while (rounds_.size() > 2 && rounds_.back().at - rounds_[1].at >= kRateWindow) {
                rounds_.pop_front();
            }
            return true;
        }
        has_new_alerts_ = false;
        return had_alerts;
    }

    /// Null before the first.
    const Round* last() const { return rounds_.empty() ? nullptr : &rounds_.back(); }
    TopRates rates() const {
        return rounds_.size() > 1 ? rates_of(rounds_.front(), rounds_.back()) : TopRates{};
    }
    std::vector<TopAlert> alerts() const { return {alerts_.begin(), alerts_.end()}; }
    /// What stands above the picture where it is not of now: empty, or why it is old.
    std::string banner(Clock::time_point now, milliseconds interval) const {
        // Whoever is stopped still has his connections taken: that one is open says nothing.
        const auto silent =
            std::chrono::duration_cast<milliseconds>(now - (last() ? last()->at : begun_));
        const bool is_gone = !client_ && error_.kind != ipc::ClientError::Kind::Timeout;
        return top_banner(is_gone, silent, interval);
    }

  private:
    void ask_alerts() {
        client_->call("alerts.list", R"({"limit":10})", context_.deadline(), [this](auto reply) {
            if (!reply) {
                return;
            }
            std::deque<TopAlert> lines;
            for (const json::Value& alert : reply->result()["alerts"]) {
                lines.push_front(top_alert(alert, alert["timestamp_ms"]));
            }
            alerts_.insert(alerts_.begin(), lines.begin(), lines.end());
        });
    }
    void add_alert(const json::Value& params) {
        alerts_.push_back(top_alert(params["data"], params["timestamp_ms"]));
        if (alerts_.size() > kAlertsKept) {
            alerts_.pop_front();
        }
        has_new_alerts_ = true;
    }

    const Context& context_;
    const Clock::time_point begun_ = Clock::now();
    std::optional<ipc::EventClient> client_;
    ipc::ClientError error_;
    std::deque<Round> rounds_;  ///< of the last kRateWindow, two at least where there are
    std::optional<Round> waiting_;
    std::deque<TopAlert> alerts_;
    bool has_failed_ = false;
    bool has_new_alerts_ = false;
};

/// False where the user wants to end.
bool take_key(const Screen::Input& input, TopOptions& options, std::size_t page) {
    using Key = Screen::Key;
    const auto by = [&](TopSort sort) {
        options.sort = sort;
        options.first = 0;
    };
    switch (input.key) {
        case Key::Up:
            options.first -= options.first > 0 ? 1 : 0;
            return true;
        case Key::Down:
            ++options.first;
            return true;
        case Key::PageUp:
            options.first -= std::min(options.first, page);
            return true;
        case Key::PageDown:
            options.first += page;
            return true;
        case Key::Home:
            options.first = 0;
            return true;
        case Key::End:
            options.first = std::size_t{1} << 32;
            return true;
        case Key::Escape:
            return false;
        case Key::None:
        case Key::Other:
            return true;
        case Key::Character:
            break;
    }
    switch (input.character) {
        case 'q':
        case 'Q':
            return false;
        case 'n':
            by(TopSort::Name);
            break;
        case 's':
            by(TopSort::Status);
            break;
        case 'h':
            by(TopSort::Hops);
            break;
        case 't':
            by(TopSort::Rtt);
            break;
        case 'l':
            by(TopSort::Loss);
            break;
        case 'e':
            by(TopSort::Seen);
            break;
        case 'r':
            options.is_reversed = !options.is_reversed;
            break;
        case 'k':
            options.first -= options.first > 0 ? 1 : 0;
            break;
        case 'j':
            ++options.first;
            break;
        default:
            break;
    }
    return true;
}

ExitCode live(Context& context, milliseconds interval, TopOptions options) {
    // Before the screen is taken, so that words of failure stay.
    if (auto client = context.connect(); !client) {
        return Context::fail(client.error());
    }
    Feed feed(context);
    Screen screen;
    auto ask_at = Clock::now();
    TopPicture picture;
    bool is_stale = true;
    while (true) {
        const auto now = Clock::now();
        if (now >= ask_at) {
            const bool is_open = feed.open();
            feed.ask();
            ask_at = now + (is_open ? interval : kReconnectPause);
            is_stale = is_stale || !is_open;
        }
        std::string banner = feed.banner(now, interval);
        is_stale = is_stale || banner != options.banner;
        options.banner = std::move(banner);
        if (is_stale && (feed.last() || !options.banner.empty())) {
            const Screen::Size size = screen.size();
            options.columns = size.columns;
            options.rows = size.rows;
            // The clock of a picture that is not of now would say that it is.
            options.time = options.banner.empty() ? time_of_day() : options.time;
            picture = feed.last()
                          ? top_picture(feed.last()->facts(), feed.rates(), feed.alerts(), options)
                          : top_banner_alone(options);
            options.first = picture.first;
            if (!screen.show(picture.lines)) {
                return ExitCode::Ok;
            }
            is_stale = false;
        }
        switch (screen.wait(feed.descriptor(), feed.wanted(), ask_at)) {
            case Screen::Wake::End:
                return ExitCode::Ok;
            case Screen::Wake::Keys:
                for (const Screen::Input& input : screen.read_keys()) {
                    if (!take_key(input, options, picture.page)) {
                        return ExitCode::Ok;
                    }
                }
                is_stale = true;
                break;
            case Screen::Wake::Resized:
                is_stale = true;
                break;
            case Screen::Wake::Descriptor:
            case Screen::Wake::Time:
                is_stale = feed.dispatch() || is_stale;
                break;
        }
    }
}

/// Two rounds, an interval apart: rates need both.
ExitCode once(Context& context, milliseconds interval, TopOptions options) {
    const Interrupt interrupt;
    std::array<std::optional<Round>, 2> rounds;
    for (std::optional<Round>& round : rounds) {
        if (&round != rounds.data() && interrupt.wait(interval)) {
            return Context::fail(ExitCode::Partial, "interrupted");
        }
        round.emplace();
        for (std::size_t i = 0; i < kMethods.size(); ++i) {
            auto reply = context.call(kMethods[i]);
            if (!reply) {
                return reply.error();
            }
            round->replies[i].emplace(std::move(*reply));
        }
        round->at = Clock::now();
    }
    const Round& last = *rounds[1];
    const TopRates rates = rates_of(*rounds[0], last);
    if (context.is_json()) {
        std::string text;
        json::Writer writer(text);
        writer.begin_object();
        constexpr std::array<std::string_view, 4> kNames = {"status", "stats", "nodes", "peers"};
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            const json::Value result = last.result(i);
            writer.member_raw(kNames[i], (i < 2 ? result : result[kNames[i]]).print());
        }
        writer.key("rates")
            .begin_object()
            .member("bytes_in", rates.bytes_in)
            .member("bytes_out", rates.bytes_out)
            .member("datagrams_in", rates.datagrams_in)
            .member("datagrams_out", rates.datagrams_out)
            .member("drops", rates.drops)
            .end_object()
            .end_object();
        context.write_line(text);
        return ExitCode::Ok;
    }
    const auto held = context.call("alerts.list", R"({"limit":6})");
    if (!held) {
        return held.error();
    }
    std::deque<TopAlert> alerts;
    for (const json::Value& alert : held->result()["alerts"]) {
        alerts.push_front(top_alert(alert, alert["timestamp_ms"]));
    }
    // Without a terminal lines are as long as they are.
    constexpr std::size_t kNoLimit = 10'000;
    options.columns = options.style.width == 0 ? kNoLimit : options.style.width;
    const TopPicture picture =
        top_picture(last.facts(), rates, {alerts.begin(), alerts.end()}, options);
    context.write(join(picture.lines, "\n") + "\n");
    return ExitCode::Ok;
}

ExitCode run(Context& context, const Arguments& arguments) {
    TopOptions options;
    options.style = context.style();
    if (const std::string_view sort = arguments.text("sort"); !sort.empty()) {
        constexpr std::array<std::string_view, 6> kSorts = {"name", "status", "hops",
                                                            "rtt",  "loss",   "seen"};
        const auto it = std::find(kSorts.begin(), kSorts.end(), sort);
        options.sort = static_cast<TopSort>(it - kSorts.begin());
    }
    const auto interval = arguments.duration("interval").value_or(kIntervalDefault);
    const bool is_terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
    return arguments.has("once") || context.is_json() || !is_terminal
               ? once(context, interval, std::move(options))
               : live(context, interval, std::move(options));
}

constexpr std::array<Option, 3> kOptions = {{
    {
        .name = "interval",
        .value = "S",
        .help = "from one look to the next (default 1s)",
        .kind = ValueKind::Duration,
        .min = 100,
        .max = 3'600'000,
        .letter = 'i',
    },
    {"sort", "BY", "how boxes are sorted at first", ValueKind::Choice, 0, 0,
     "name|status|hops|rtt|loss|seen"},
    {"once", "", "print one picture and end, as without a terminal"},
}};

}  // namespace

constexpr Verb kTopVerb = {
    .name = "top",
    .summary = "Watch boxes, links, traffic and alerts, live",
    .arguments = {},
    .options = kOptions,
    .example = "meshctl top\nmeshctl top --sort loss\nmeshctl top --once --json | jq .rates",
    .run = run,
    .notes =
        "Keys: q or Escape ends; n, s, h, t, l and e sort by name, status (the ill ones first),\n"
        "hops, round trip, loss (the worst first) and when last seen; r turns the order around;\n"
        "arrows, Page Up and Page Down scroll. RTT, LOSS, UP and QUEUED are those of the link,\n"
        "where there is one. When the daemon goes, the last picture stays until it is back.",
};

}  // namespace meshd::cli
