// SPDX-License-Identifier: Apache-2.0
#include "daemon/search_calls.h"

#include <algorithm>

#include "daemon/search_merge.h"

namespace meshd {

namespace {

void write_nodes(json::Writer& writer, std::string_view key, const std::vector<NodeId>& nodes) {
    writer.key(key).begin_array();
    for (const NodeId& node : nodes) {
        writer.string(node.text());
    }
    writer.end_array();
}

}  // namespace

bool SearchCalls::is_streamed(RequestId request) const {
    const auto found = calls_.find(request);
    return found != calls_.end() && found->second.options.is_streamed;
}

void SearchCalls::add(const SearchAnswered& answer) {
    const auto found = calls_.find(answer.request);
    if (found == calls_.end()) {
        return;
    }
    Call& call = found->second;
    const std::size_t bytes = answer.results.size();
    call.answers.push_back(answer);
    if (call.bytes + bytes > kBytesPerCallMax || bytes_ + bytes > kBytesMax) {
        call.answers.back().results = "[]";
        call.answers.back().is_truncated = true;
        ++dropped_;
        return;
    }
    call.bytes += bytes;
    bytes_ += bytes;
}

std::string SearchCalls::finish(const SearchDone& done) {
    const auto found = calls_.find(done.request);
    if (found == calls_.end()) {
        return {};
    }
    Call call = std::move(found->second);
    bytes_ -= call.bytes;
    calls_.erase(found);
    std::vector<SearchAnswered>& answers = call.answers;
    std::sort(answers.begin(), answers.end(),
              [](const SearchAnswered& a, const SearchAnswered& b) { return a.node < b.node; });
    const MergedResults merged = merge_results(answers, call.options.limit);
    const bool is_any_refused = std::any_of(
        answers.begin(), answers.end(), [](const auto& answer) { return !answer.refused.empty(); });
    const bool is_any_truncated = std::any_of(
        answers.begin(), answers.end(), [](const auto& answer) { return answer.is_truncated; });
    std::string text;
    text.reserve(call.bytes + merged.results.size() + 256);
    json::Writer writer(text);
    writer.begin_object().key("answers").begin_array();
    for (const SearchAnswered& answer : answers) {
        writer.begin_object();
        write_answer(writer, answer);
        writer.end_object();
    }
    writer.end_array().member_raw("results", merged.results);
    write_nodes(writer, "silent", done.silent);
    write_nodes(writer, "unreachable", done.unreachable);
    writer.member("complete", done.silent.empty() && done.unreachable.empty() && !is_any_refused)
        .member("truncated", merged.is_truncated || is_any_truncated)
        .end_object();
    return text;
}

void SearchCalls::drop(RequestId request) {
    const auto found = calls_.find(request);
    if (found != calls_.end()) {
        bytes_ -= found->second.bytes;
        calls_.erase(found);
    }
}

void write_answer(json::Writer& writer, const SearchAnswered& answer) {
    writer.member("node_id", answer.node.text()).member_raw("results", answer.results);
    if (answer.is_stale) {
        writer.member("stale", true);
    }
    if (answer.is_truncated) {
        writer.member("truncated", true);
    }
    if (answer.silent > 0) {
        writer.member("silent_responders", answer.silent);
    }
    if (answer.skipped > 0) {
        writer.member("skipped_responders", answer.skipped);
    }
    if (!answer.refused.empty()) {
        writer.member("refused", answer.refused);
    }
}

}  // namespace meshd
