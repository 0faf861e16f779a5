// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/json.h"
#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// A slice of a search over metadata: entries decoded (3 to 5 us each) and entries passed over. The
/// loop stands still for some 2 ms.
constexpr std::size_t kDecodedPerSlice = 400;
constexpr std::size_t kVisitedPerSlice = 10'000;

/// Local work ends so long before the asker's timeout that the answer is back in time.
Duration work_time(Duration timeout) {
    return timeout * 4 / 5;
}

/// When the answer leaves without what is still missing. Later than the work's end: on a box that
/// is late itself, what its responders said in time would else be lost with those that are silent.
Duration answer_time(Duration timeout) {
    return timeout * 9 / 10;
}

/// An entry as it stands in the results of a search.
std::string print_result(const EntryView& entry, const std::optional<double>& score) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    writer.member("hash", entry.hash);
    writer.member("type", entry.type);
    if (score) {
        writer.member("score", *score);
    }
    writer.member("timestamp_ms", entry.timestamp_ms);
    writer.member("age_ms", entry.age_ms);
    if (!entry.space.empty()) {
        writer.member("space", entry.space);
    }
    writer.member_raw("metadata", entry.metadata);
    writer.end_object();
    return text;
}

SearchAnswer to_message(std::uint64_t number, const SearchAnswerer::Answer& answer) {
    return {number,         false, answer.is_truncated,     answer.silent,
            answer.skipped, {},    as_bytes(answer.results)};
}

SearchAnswer pending(std::uint64_t number) {
    return {number, true, false, 0, 0, {}, {}};
}

SearchAnswer refusal(std::uint64_t number, const char* reason) {
    return {number, false, false, 0, 0, reason, {}};
}

CommandError invalid(const char* field, std::string message) {
    return {CommandError::Code::InvalidParams, field, std::move(message), {}, {}};
}

/// Nothing where it is no JSON array that a message may carry.
std::optional<json::Document> parse_results(std::string_view text) {
    auto document = json::Document::parse(text, {limits::kPayloadBytesMax, limits::kPayloadDepthMax,
                                                 limits::kMessageJson.values_max});
    return document && document->root().is_array() ? std::optional(std::move(*document))
                                                   : std::nullopt;
}

}  // namespace

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
        return tl::unexpected(invalid("query", own.error()));
    }
    if (command.limit == 0 || command.limit > limits::kSearchResultsMax) {
        return tl::unexpected(
            invalid("limit", "must be 1 to " + std::to_string(limits::kSearchResultsMax)));
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
        return tl::unexpected(CommandError{CommandError::Code::Overloaded,
                                           {},
                                           "too many searches are under way",
                                           milliseconds(100),
                                           {}});
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
        const auto taken =
            answerer_.on_question(now.monotonic, {self_.node, self_.start, number}, command.limit,
                                  now.monotonic + answer_time(command.timeout), now.monotonic);
        if (taken.what == SearchAnswerer::What::Work) {
            work_on(now, taken.ticket, self_.node, query, *own, owners);
        } else {
            on_answer(now.monotonic, self_.node, refusal(number, "overloaded"));
            asker_.on_answer(now.monotonic, number, NodeId(), false);
        }
    }
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::serve_searches(const ServeSearches& command) {
    served_types_ = command.types;
    return next_request();
}

tl::expected<RequestId, CommandError> Node::Impl::answer_search(Now now,
                                                                const AnswerSearch& command) {
    if (!answerer_.is_expected(command.ticket, SearchAnswerer::Part::Responders)) {
        return tl::unexpected(CommandError{CommandError::Code::UnknownSearch,
                                           "search",
                                           "is not waiting for an answer, or not any more",
                                           {},
                                           {}});
    }
    const auto results = parse_results(command.results);
    if (!results) {
        return tl::unexpected(invalid("results", "must be a JSON array of at most " +
                                                     std::to_string(limits::kPayloadBytesMax) +
                                                     " bytes"));
    }
    ResultList* const list = answerer_.results(command.ticket, NodeId());
    list->add_all(results->root());
    if (command.is_truncated) {
        list->set_truncated();
    }
    answerer_.on_part(command.ticket, SearchAnswerer::Part::Responders,
                      std::min(command.silent, limits::kRespondersMax),
                      std::min(command.skipped, limits::kRespondersMax));
    answerer_.finish_if_done(now.monotonic, command.ticket);
    return next_request();
}

/// A question of another node.
void Node::Impl::on_query(Now now, const NodeId& source, StartId start, const SearchQuery& query) {
    counters_.add(Counter::searches_received);
    const auto document = json::Document::parse(
        as_text(query.query),
        {limits::kPayloadBytesMax, limits::kPayloadDepthMax, limits::kMessageJson.values_max});
    tl::expected<OwnQuery, std::string> own = tl::unexpected(std::string());
    if (document && document->root().is_object()) {
        own = parse_own_query(query.type, document->root());
    }
    if (!own || !is_name(query.type, limits::kSearchTypeBytesMax)) {
        counters_.add(Counter::searches_refused);
        send_routed(source, refusal(query.number, "query"));
        return;
    }
    const Duration timeout = milliseconds(query.timeout_ms);
    const auto taken =
        answerer_.on_question(now.monotonic, {source, start, query.number}, query.limit,
                              now.monotonic + answer_time(timeout), now.monotonic + timeout);
    switch (taken.what) {
        case SearchAnswerer::What::Work:
            work_on(now, taken.ticket, source, query, *own, {self_.node});
            break;
        case SearchAnswerer::What::Pending:
            send_routed(source, pending(query.number));
            break;
        case SearchAnswerer::What::Repeat:
            send_routed(source, to_message(query.number, *taken.answer));
            break;
        case SearchAnswerer::What::Overloaded:
            counters_.add(Counter::searches_refused);
            send_routed(source, refusal(query.number, "overloaded"));
            break;
    }
}

/// Has the entries of `owners` looked at, and, where this node is one of them, its responders
/// asked.
void Node::Impl::work_on(Now now, SearchTicket ticket, const NodeId& source,
                         const SearchQuery& query, const OwnQuery& own,
                         const std::set<NodeId>& owners) {
    if (owners.count(self_.node) != 0) {
        answerer_.results(ticket, NodeId());  // an answer without results is one too
        if (served_types_.count(query.type) != 0) {
            answerer_.expect(ticket, SearchAnswerer::Part::Responders);
            outputs_.push_back(
                SearchRequested{ticket, source, query.type, std::string(as_text(query.query)),
                                work_time(milliseconds(query.timeout_ms)), query.limit});
        }
    }
    look_up(now, ticket, own, query.limit, owners);
    answerer_.finish_if_done(now.monotonic, ticket);
}

void Node::Impl::look_up(Now now, SearchTicket ticket, const OwnQuery& query, std::size_t limit,
                         const std::set<NodeId>& owners) {
    if (const auto* hash = std::get_if<HashQuery>(&query)) {
        for (const NodeId& owner : owners) {
            if (const HeldRecord* held = store_.entry(hash->hash, owner)) {
                add_result(ticket, entry_view(held->record, held->age_ms(now.monotonic), false),
                           std::nullopt);
            }
        }
    } else if (const auto* metadata = std::get_if<MetadataQuery>(&query)) {
        answerer_.expect(ticket, SearchAnswerer::Part::Registry);
        metadata_scans_.push_back({ticket, *metadata, owners, {}, {}});
    } else if (const auto* embedding = std::get_if<EmbeddingQuery>(&query)) {
        NearestQuery nearest;
        nearest.queries = {embedding->embedding};
        nearest.space = embedding->space;
        nearest.type = embedding->type;
        nearest.nodes.assign(owners.begin(), owners.end());
        nearest.age_ms_max = embedding->age_ms_max;
        nearest.k = limit;
        // Refused where the entries here have another dimension: then none of them is like it.
        if (auto search = prepare_nearest(now, nearest)) {
            answerer_.expect(ticket, SearchAnswerer::Part::Registry);
            outputs_.push_back(ScanWanted{ticket, *std::move(search)});
        }
    }
}

void Node::Impl::add_result(SearchTicket ticket, const EntryView& entry,
                            std::optional<double> score) {
    const NodeId owner = entry.node == self_.node ? NodeId() : entry.node;
    if (ResultList* results = answerer_.results(ticket, owner)) {
        results->add(print_result(entry, score));
    }
}

void Node::Impl::handle_scan_done(Now now, SearchTicket ticket, const NearestResult& result) {
    at(now);
    if (answerer_.is_expected(ticket, SearchAnswerer::Part::Registry) && !result.matches.empty()) {
        for (const NearestMatch& match : result.matches.front()) {
            add_result(ticket, match.entry, match.score);
        }
    }
    answerer_.on_part(ticket, SearchAnswerer::Part::Registry);
    answerer_.finish_if_done(now.monotonic, ticket);
    settle(now);
}

/// One slice of the first search over metadata; then it is the next one's turn.
void Node::Impl::run_metadata_scans(Now now) {
    if (metadata_scans_.empty()) {
        return;
    }
    MetadataScan scan = std::move(metadata_scans_.front());
    metadata_scans_.pop_front();
    if (!answerer_.is_expected(scan.ticket, SearchAnswerer::Part::Registry)) {
        return;
    }
    if (run_slice(now, scan)) {
        metadata_scans_.push_back(std::move(scan));
        return;
    }
    answerer_.on_part(scan.ticket, SearchAnswerer::Part::Registry);
    answerer_.finish_if_done(now.monotonic, scan.ticket);
}

/// False where it is through.
bool Node::Impl::run_slice(Now now, MetadataScan& scan) {
    std::size_t decoded = 0;
    std::size_t visited = 0;
    const HeldRecord* held = scan.after_hash.empty()
                                 ? store_.entry_from({}, NodeId())
                                 : store_.entry_after(scan.after_hash, scan.after_owner);
    for (; held != nullptr; held = store_.entry_after(scan.after_hash, scan.after_owner)) {
        if (++visited > kVisitedPerSlice || decoded >= kDecodedPerSlice) {
            return true;
        }
        const RegistryKey& entry = *held->record.registry;
        const NodeId& owner = entry_owner(held->record);
        scan.after_hash = entry.hash();
        scan.after_owner = owner;
        const bool is_candidate =
            scan.owners.count(owner) != 0 &&
            (scan.query.type.empty() || entry.type() == scan.query.type) &&
            (!scan.query.age_ms_max || held->age_ms(now.monotonic) <= *scan.query.age_ms_max);
        if (!is_candidate) {
            continue;
        }
        ++decoded;
        const EntryView view = entry_view(held->record, held->age_ms(now.monotonic), false);
        const auto metadata = json::Document::parse(view.metadata, limits::kMessageJson);
        if (metadata && matches(scan.query, metadata->root())) {
            add_result(scan.ticket, view, std::nullopt);
        }
        const ResultList* own = answerer_.results(scan.ticket, NodeId());
        if (scan.owners.size() == 1 && own->is_truncated()) {
            return false;
        }
    }
    return false;
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
        if (const auto results = parse_results(as_text(answer.results))) {
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
            send_routed(question.source, to_message(question.number, finished->answer));
        }
    }
    while (const auto again = asker_.poll_again()) {
        const auto remaining = asker_.remaining(now, again->number);
        const auto asked = asked_.find(again->number);
        if (remaining && asked != asked_.end() && !again->node.empty() &&
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
    on_answer(now, self_.node, to_message(number, finished.answer));
    asker_.on_answer(now, number, NodeId(), false);
}

}  // namespace meshd
