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
/// The same of entries with metadata near their limit.
constexpr std::size_t kBytesPerSlice = 256 * 1024;

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

}  // namespace

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
    const auto results = parse_results(command.results, limits::kPayloadDepthMax);
    if (!results) {
        return tl::unexpected(
            invalid_param("results", "must be a JSON array of at most " +
                                         std::to_string(limits::kPayloadBytesMax) + " bytes"));
    }
    ResultList* const list = answerer_.responder_results(command.ticket);
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

/// Puts a search of this node to itself, where it is one of `owners`, and to its copy of the
/// others' entries.
void Node::Impl::ask_self(Now now, const SearchQuery& query, const OwnQuery& own,
                          const std::set<NodeId>& owners) {
    const auto taken = answerer_.on_question(
        now.monotonic, {self_.node, self_.start, query.number}, query.limit,
        now.monotonic + answer_time(milliseconds(query.timeout_ms)), now.monotonic);
    if (taken.what == SearchAnswerer::What::Work) {
        work_on(now, taken.ticket, self_.node, query, own, owners);
        return;
    }
    on_answer(now.monotonic, self_.node, refusal_message(query.number, "overloaded"));
    asker_.on_answer(now.monotonic, query.number, NodeId(), false);
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
        send_routed(source, refusal_message(query.number, "query"));
        return;
    }
    const Duration timeout = milliseconds(query.timeout_ms);
    if (timeout == Duration{}) {
        return;  // nobody waits any more
    }
    const auto taken =
        answerer_.on_question(now.monotonic, {source, start, query.number}, query.limit,
                              now.monotonic + answer_time(timeout), now.monotonic + timeout);
    switch (taken.what) {
        case SearchAnswerer::What::Work:
            work_on(now, taken.ticket, source, query, *own, {self_.node});
            break;
        case SearchAnswerer::What::Pending:
            send_routed(source, pending_message(query.number));
            break;
        case SearchAnswerer::What::Quiet:
            break;
        case SearchAnswerer::What::Repeat:
            send_routed(source, answer_message(query.number, *taken.answer));
            break;
        case SearchAnswerer::What::Overloaded:
            counters_.add(Counter::searches_refused);
            send_routed(source, refusal_message(query.number, "overloaded"));
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
        // Each owner's best, as if it had answered itself: one of them must not crowd out the rest.
        nearest.k = std::min(limit * owners.size(), NearestQuery::kMatchesMax);
        // Refused where the entries here have another dimension: then none of them is like it.
        if (auto search = prepare_nearest(now, nearest)) {
            answerer_.expect(ticket, SearchAnswerer::Part::Registry);
            outputs_.push_back(ScanWanted{ticket, *std::move(search)});
        }
    }
}

void Node::Impl::add_result(SearchTicket ticket, const EntryView& entry,
                            std::optional<double> score) {
    results_of(ticket, entry.node)->add(print_result(entry, score));
}

/// Of an open ticket.
ResultList* Node::Impl::results_of(SearchTicket ticket, const NodeId& owner) {
    return answerer_.results(ticket, owner == self_.node ? NodeId() : owner);
}

void Node::Impl::handle_scan_done(Now now, SearchTicket ticket, const NearestResult& result) {
    at(now);
    if (answerer_.is_expected(ticket, SearchAnswerer::Part::Registry) && !result.matches.empty()) {
        for (const NearestMatch& match : result.matches.front()) {
            const ResultList* results = results_of(ticket, match.entry.node);
            if (!results->is_full()) {
                add_result(ticket, match.entry, match.score);
            }
        }
    }
    answerer_.on_part(ticket, SearchAnswerer::Part::Registry);
    answerer_.finish_if_done(now.monotonic, ticket);
    settle(now);
}

/// One slice of the first search over metadata; then it is the next one's turn.
void Node::Impl::run_metadata_scans(Now now) {
    std::erase_if(metadata_scans_, [&](const MetadataScan& scan) {
        return !answerer_.is_expected(scan.ticket, SearchAnswerer::Part::Registry);
    });
    if (metadata_scans_.empty()) {
        return;
    }
    MetadataScan scan = std::move(metadata_scans_.front());
    metadata_scans_.pop_front();
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
    std::size_t bytes = 0;
    const HeldRecord* held = scan.after_hash.empty()
                                 ? store_.entry_from({}, NodeId())
                                 : store_.entry_after(scan.after_hash, scan.after_owner);
    for (; held != nullptr; held = store_.entry_after(scan.after_hash, scan.after_owner)) {
        if (++visited > kVisitedPerSlice || decoded >= kDecodedPerSlice ||
            bytes >= kBytesPerSlice) {
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
        bytes += held->record.bytes.size();
        const EntryView view = entry_view(held->record, held->age_ms(now.monotonic), false);
        const auto metadata = json::Document::parse(view.metadata, limits::kMessageJson);
        if (metadata && matches(scan.query, metadata->root())) {
            add_result(scan.ticket, view, std::nullopt);
        }
        const bool is_enough = std::all_of(
            scan.owners.begin(), scan.owners.end(),
            [&](const NodeId& each) { return results_of(scan.ticket, each)->is_truncated(); });
        if (is_enough) {
            break;
        }
    }
    return false;
}

}  // namespace meshd
