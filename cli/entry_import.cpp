// SPDX-License-Identifier: Apache-2.0
#include "cli/entry_import.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "cli/failure.h"
#include "ipc/error.h"

namespace meshd::cli {
namespace {

using std::chrono::milliseconds;

/// Where the daemon names no time; and the bounds of what it may ask for.
constexpr milliseconds kRetryDefault{100};
constexpr milliseconds kRetryMin{5};
constexpr milliseconds kRetryMax{5000};
/// The request around an entry.
constexpr std::size_t kEnvelopeBytes = 1024;

json::Document data_of(const ipc::ClientError& error) {
    auto parsed = json::Document::parse(error.data, json::Limits{});
    return parsed ? std::move(*parsed) : json::Document();
}

milliseconds retry_after(const ipc::ClientError& error) {
    const json::Document data = data_of(error);
    const auto ms = data.root()["retry_after_ms"].as_int();
    return std::clamp(ms ? milliseconds(*ms) : kRetryDefault, kRetryMin, kRetryMax);
}

/// N of "entries[N].embedding".
std::optional<std::size_t> entry_index(const ipc::ClientError& error) {
    const json::Document data = data_of(error);
    std::string_view field = data.root()["field"].as_string().value_or("");
    constexpr std::string_view kBegin = "entries[";
    if (!field.starts_with(kBegin)) {
        return std::nullopt;
    }
    field.remove_prefix(kBegin.size());
    std::size_t index = 0;
    const auto [end, wrong] = std::from_chars(field.data(), field.data() + field.size(), index);
    if (wrong != std::errc() || end == field.data() + field.size() || *end != ']') {
        return std::nullopt;
    }
    return index;
}

/// True where the refusal is about what was to be stored, not about the daemon or the caller.
bool is_about_entries(int code) {
    const bool is_registry = code >= 300 && code < 400;
    return is_registry || code == static_cast<int>(ipc::ErrorCode::InvalidParams);
}

/// The daemon's reason, on one line and without the number in the batch, which tells the user
/// nothing beside the line of the file.
std::string reason_of(const ipc::ClientError& error) {
    std::string text = explain(error).text;
    std::replace(text.begin(), text.end(), '\n', ' ');
    constexpr std::string_view kBegin = "entries[";
    for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
        const std::size_t end = text.find(']', at);
        if (end == std::string::npos) {
            break;
        }
        const std::string_view rest = std::string_view(text).substr(end + 1);
        const bool is_member = rest.starts_with('.');
        const bool is_title = rest.starts_with(": ");
        text.replace(at, end + 1 - at + (is_member ? 1 : 0) + (is_title ? 2 : 0),
                     is_member || is_title ? "" : "the entry");
    }
    return text;
}

}  // namespace

EntryImport::EntryImport(Context& context, ipc::Client& client, LineReader& reader,
                         ImportOptions options)
    : context_(context),
      client_(client),
      reader_(reader),
      options_(std::move(options)),
      progress_("imported") {}

ExitCode EntryImport::run() {
    Stop stopped = read_all();
    const bool is_interrupted = interrupt_.has_come();
    if (!stopped && !is_interrupted) {
        stopped = flush();
    }
    while (!stopped && !calls_.empty()) {
        stopped = settle_one();
    }
    progress_.wipe();
    if (stopped || is_interrupted) {
        counts_.next_line = first_unsettled().value_or(std::max(line_ + 1, options_.from_line));
    }
    if (stopped) {
        return *stopped;
    }
    if (is_interrupted) {
        return Context::fail(ExitCode::Partial, "interrupted");
    }
    return counts_.refused > 0 || counts_.not_durable > 0 ? ExitCode::Partial : ExitCode::Ok;
}

EntryImport::Stop EntryImport::read_all() {
    while (!interrupt_.has_come()) {
        auto line = reader_.next(interrupt_.descriptor());
        if (!line) {
            return stop(ExitCode::Refused, line.error());
        }
        if (!*line) {
            return std::nullopt;
        }
        if (Stop stopped = take(**line)) {
            return stopped;
        }
    }
    return std::nullopt;
}

EntryImport::Stop EntryImport::take(const LineReader::Line& line) {
    if (line.number < options_.from_line) {
        line_ = line.number;
        return std::nullopt;
    }
    line_ = line.number;
    ++counts_.lines;
    if (line.is_too_long) {
        refuse(line.number, "the line is longer than 1 MiB");
        return std::nullopt;
    }
    if (line.text.find_first_not_of(" \t\r") == std::string_view::npos) {
        return std::nullopt;
    }
    auto entry = parse_entry_line(line.text, wall_ms());
    if (!entry) {
        refuse(line.number, entry.error());
        return std::nullopt;
    }
    if (!options_.only_node.empty() && entry->node != options_.only_node) {
        ++counts_.other_nodes;
        return std::nullopt;
    }
    if (entry->has_expired) {
        ++counts_.expired;
        return std::nullopt;
    }
    if (entry->entry.size() + kEnvelopeBytes > LineReader::kLineBytesMax) {
        refuse(line.number, "the entry is longer than a request may be");
        return std::nullopt;
    }
    return add({line.number, std::move(*entry)});
}

EntryImport::Stop EntryImport::add(Item item) {
    // All lines become sightings by this box, of which there is one for each hash. An export has
    // them behind each other.
    if (!batch_.empty() && batch_.back().entry.hash == item.entry.hash) {
        ++counts_.merged;
        if (item.entry.timestamp_ms >= batch_.back().entry.timestamp_ms) {
            batch_bytes_ -= batch_.back().entry.entry.size();
            batch_bytes_ += item.entry.entry.size();
            batch_.back().entry = std::move(item.entry);
            batch_.back().line = item.line;
        }
        return std::nullopt;
    }
    const bool is_full =
        batch_.size() >= kBatchEntries || batch_bytes_ + item.entry.entry.size() > kBatchBytes;
    if (is_full && !batch_.empty()) {
        if (Stop stopped = flush()) {
            return stopped;
        }
    }
    batch_bytes_ += item.entry.entry.size();
    batch_.push_back(std::move(item));
    return std::nullopt;
}

EntryImport::Stop EntryImport::flush() {
    batch_bytes_ = 0;
    if (Stop stopped = send(std::exchange(batch_, {}))) {
        return stopped;
    }
    while (calls_.size() > kCallsMax) {
        if (Stop stopped = settle_one()) {
            return stopped;
        }
    }
    return std::nullopt;
}

EntryImport::Stop EntryImport::send(std::vector<Item> items) {
    if (items.empty()) {
        return std::nullopt;
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object().key("entries").begin_array();
    for (const Item& item : items) {
        writer.raw(item.entry.entry);
    }
    writer.end_array();
    if (options_.is_durable) {
        writer.member("durable", true);
    }
    writer.end_object();
    // Under way from here on, so that a failure counts these lines among the unsettled.
    calls_.push_back({0, std::move(items)});
    const auto call = client_.send("registry.put", params, context_.deadline());
    if (!call) {
        progress_.wipe();
        return Context::fail(call.error());
    }
    calls_.back().call = *call;
    return std::nullopt;
}

EntryImport::Stop EntryImport::settle_one() {
    const auto reply = client_.receive(calls_.front().call, context_.deadline());
    if (!reply && reply.error().kind != ipc::ClientError::Kind::Remote) {
        progress_.wipe();
        return Context::fail(reply.error());
    }
    if (!reply) {
        return on_refusal(reply.error(), calls_.front().items);
    }
    const std::size_t count = calls_.front().items.size();
    calls_.pop_front();
    counts_.stored += count;
    if (options_.is_durable && !reply->result()["durable"].as_bool().value_or(false)) {
        counts_.not_durable += count;
    }
    show_progress();
    return std::nullopt;
}

EntryImport::Stop EntryImport::on_refusal(const ipc::ClientError& error, std::vector<Item> items) {
    if (error.code == static_cast<int>(ipc::ErrorCode::Overloaded)) {
        if (interrupt_.wait(retry_after(error))) {
            return stop(ExitCode::Partial, "interrupted while the daemon was overloaded");
        }
        calls_.pop_front();
        return send(std::move(items));
    }
    if (!is_about_entries(error.code)) {
        progress_.wipe();
        return Context::fail(error);
    }
    calls_.pop_front();
    const auto index = items.size() == 1 ? std::optional<std::size_t>(0) : entry_index(error);
    if (index && *index < items.size()) {
        refuse(items[*index].line, reason_of(error));
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(*index));
        return send(std::move(items));
    }
    // Some entry, but not said which: found by halves.
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    std::vector<Item> second(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
    items.erase(middle, items.end());
    if (Stop stopped = send(std::move(items))) {
        calls_.push_back({0, std::move(second)});
        return stopped;
    }
    return send(std::move(second));
}

void EntryImport::refuse(std::uint64_t line, const std::string& why) {
    ++counts_.refused;
    progress_.wipe();
    Context::say(reader_.name() + ":" + std::to_string(line) + ": " + why);
}

EntryImport::Stop EntryImport::stop(ExitCode code, const std::string& why) {
    progress_.wipe();
    return Context::fail(code, why);
}

void EntryImport::show_progress() {
    const auto bytes = reader_.bytes();
    progress_.update(counts_.stored,
                     bytes && *bytes > 0
                         ? std::optional(static_cast<double>(reader_.bytes_taken()) /
                                         static_cast<double>(*bytes))
                         : std::nullopt);
}

std::optional<std::uint64_t> EntryImport::first_unsettled() const {
    std::optional<std::uint64_t> first;
    const auto see = [&first](const std::vector<Item>& items) {
        for (const Item& item : items) {
            first = std::min(first.value_or(item.line), item.line);
        }
    };
    for (const Batch& batch : calls_) {
        see(batch.items);
    }
    see(batch_);
    return first;
}

}  // namespace meshd::cli
