// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/json.h"
#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {

tl::expected<RequestId, CommandError> Node::Impl::search(Now now, const Search& command) {
    if (auto error = check_name(command.type, "search_type", limits::kSearchTypeBytesMax)) {
        return tl::unexpected(*std::move(error));
    }
    const auto document = parse_object(command.query, "query", limits::kPayloadBytesMax);
    if (!document) {
        return tl::unexpected(document.error());
    }
    const auto own = parse_own_query(command.type, document->root());
    if (!own) {
        return tl::unexpected(invalid_param("query", own.error()));
    }
    if (command.limit == 0 || command.limit > limits::kSearchResultsMax) {
        return tl::unexpected(
            invalid_param("limit", "must be 1 to " + std::to_string(limits::kSearchResultsMax)));
    }
    if (auto error = check_wait(command.timeout)) {
        return tl::unexpected(*std::move(error));
    }
    std::set<NodeId> asked(command.nodes.begin(), command.nodes.end());
    for (const NodeId& node : asked) {
        if (node != self_.node && store_.node_record(node) == nullptr) {
            return tl::unexpected(unknown_node(node, "nodes"));
        }
    }
    if (asker_.is_full()) {
        return tl::unexpected(overloaded("too many searches are under way"));
    }
    if (asked.empty()) {
        asked.insert(self_.node);
        for (const auto& [node, member] : membership_.members()) {
            asked.insert(node);
        }
    }
    std::map<NodeId, Duration> patience;
    std::vector<NodeId> unreachable;
    for (const NodeId& node : asked) {
        const Membership::Member* member = membership_.find(node);
        if (node == self_.node || (member != nullptr && member->status == NodeStatus::Alive)) {
            patience[node] = 3 * rtt_to(node) + SearchAsker::kPatienceMin;
        } else {
            unreachable.push_back(node);
        }
    }
    const RequestId request = next_request();
    const std::uint64_t number = next_number_++;
    const std::string text = document->root().print();
    const SearchQuery query{number, command.type,
                            static_cast<std::uint32_t>(to_ms(command.timeout)), command.limit,
                            as_bytes(text)};
    counters_.add(Counter::searches_asked);
    if (command.nodes.empty()) {
        spread(query);
    } else {
        for (const auto& [node, wait] : patience) {
            if (node != self_.node) {
                send_routed(node, query);
            }
        }
    }
    // What this node looks up itself: its own entries where it is asked, and those of nodes that
    // cannot answer.
    std::set<NodeId> owners;
    if (is_own_type(command.type) && !unreachable.empty()) {
        owners.insert(unreachable.begin(), unreachable.end());
        patience[NodeId()] = command.timeout;
    }
    if (patience.count(self_.node) != 0) {
        owners.insert(self_.node);
    }
    asked_[number] = {command.type, text, command.limit};
    asker_.ask(now.monotonic, number, request, patience, std::move(unreachable),
               now.monotonic + command.timeout);
    if (!owners.empty()) {
        ask_self(now, query, *own, owners);
    }
    return request;
}

void Node::Impl::on_answer(TimePoint now, const NodeId& from, const SearchAnswer& answer) {
    const auto request = asker_.on_answer(now, answer.number, from, answer.is_pending);
    if (!request) {
        counters_.add(Counter::search_answers_late, answer.is_pending ? 0 : 1);
        return;
    }
    SearchAnswered told;
    told.request = *request;
    told.node = from;
    told.is_truncated = answer.is_truncated;
    told.silent = answer.silent;
    told.skipped = answer.skipped;
    told.refused = answer.refused;
    if (told.refused.empty()) {
        // Metadata may be as deep as a payload; in results it stands two levels deeper.
        if (const auto results =
                parse_results(as_text(answer.results), limits::kMessageJson.depth_max)) {
            told.results = results->root().print();
        } else {
            counters_.add(Counter::drop_malformed);
            told.refused = "malformed";
        }
    }
    outputs_.push_back(std::move(told));
}

void Node::Impl::run_searches(TimePoint now) {
    while (const auto finished = answerer_.poll_finished()) {
        const SearchAnswerer::Question& question = finished->question;
        if (question.source == self_.node) {
            tell_own_answer(now, *finished);
        } else {
            send_routed(question.source, answer_message(question.number, finished->answer));
        }
    }
    while (const auto again = asker_.poll_again()) {
        const auto remaining = asker_.remaining(now, again->number);
        const auto asked = asked_.find(again->number);
        if (remaining && to_ms(*remaining) > 0 && asked != asked_.end() && !again->node.empty() &&
            again->node != self_.node) {
            counters_.add(Counter::searches_asked_again);
            send_routed(again->node,
                        SearchQuery{again->number, asked->second.type,
                                    static_cast<std::uint32_t>(to_ms(*remaining)),
                                    asked->second.limit, as_bytes(asked->second.query)});
        }
    }
    while (auto done = asker_.poll_done()) {
        asked_.erase(done->number);
        outputs_.push_back(
            SearchDone{done->request, std::move(done->silent), std::move(done->unreachable)});
    }
}

/// Of a search of this node: its own answer, and what it holds of nodes that are not alive.
void Node::Impl::tell_own_answer(TimePoint now, const SearchAnswerer::Finished& finished) {
    const std::uint64_t number = finished.question.number;
    const auto request = asker_.request(number);
    for (const auto& [owner, results] : finished.stale) {
        if (request) {
            outputs_.push_back(SearchAnswered{
                *request, owner, results, true, finished.answer.is_truncated, 0, 0, {}});
        }
    }
    if (finished.is_asked) {
        on_answer(now, self_.node, answer_message(number, finished.answer));
    }
    asker_.on_answer(now, number, NodeId(), false);
}

}  // namespace meshd
