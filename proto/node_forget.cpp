// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {

tl::expected<RequestId, CommandError> Node::Impl::forget(Now now, const Forget& command) {
    if (has_left_ || leaving_) {
        return tl::unexpected(left_error());
    }
    const auto refuse = [&](CommandError::Code code, std::string why) {
        return tl::unexpected(CommandError{code, "node_id", std::move(why), {}});
    };
    if (command.node == self_.node) {
        return refuse(CommandError::Code::NodeAlive,
                      command.node.text() + " is this node itself: it cannot be forgotten");
    }
    const HeldRecord* held = store_.node_record(command.node);
    const Membership::Member* member = membership_.find(command.node);
    if (held == nullptr || member == nullptr) {
        return refuse(CommandError::Code::UnknownNode, "no node of this name is known");
    }
    if (member->status == NodeStatus::Alive) {
        return refuse(CommandError::Code::NodeAlive,
                      command.node.text() + " is alive: stop it first");
    }
    const RequestId request = next_request();
    const RecordHeader& header = held->record.header;
    forgetting_.forget(now.monotonic, {command.node, header.stream, header.clock});
    forget_node(now.monotonic, command.node, self_.node);
    outputs_.push_back(Forgotten{request, command.node});
    publish_node(now);
    return request;
}

void Node::Impl::forget_node(TimePoint now, const NodeId& node, const NodeId& by) {
    if (membership_.find(node) != nullptr) {
        NodeEvent event;
        event.kind = NodeEventKind::Forgotten;
        event.node = node;
        event.by = by;
        outputs_.push_back(std::move(event));
    }
    store_.forget(now, node);
    counters_.add(Counter::nodes_forgotten);
    topology_dirty_ = true;
}

void Node::Impl::learn_forgotten(TimePoint now, const std::vector<const HeldRecord*>& records) {
    forgetting_.begin_naming();
    for (const HeldRecord* held : records) {
        for (const ForgottenNode& one : held->record.node->forgotten) {
            forgetting_.on_named(now, one, held->record.header.author);
        }
    }
    forgetting_.end_naming(now);
    counters_.add(Counter::drop_marks_full, forgetting_.take_refused());
}

/// Which of the marked nodes that are not held somebody who is alive claims a link to.
std::set<NodeId> Node::Impl::claimed_of(const std::vector<ForgottenNode>& marks) const {
    std::set<NodeId> wanted;
    for (const ForgottenNode& mark : marks) {
        if (store_.node_record(mark.node) == nullptr) {
            wanted.insert(mark.node);
        }
    }
    std::set<NodeId> claimed;
    if (wanted.empty()) {
        return claimed;
    }
    for (const NodeId& node : store_.nodes()) {
        const Membership::Member* member = membership_.find(node);
        if (node != self_.node && (member == nullptr || member->status != NodeStatus::Alive)) {
            continue;
        }
        for (const LinkClaim& link : store_.node_record(node)->record.node->links) {
            if (wanted.count(link.peer) != 0) {
                claimed.insert(link.peer);
            }
        }
    }
    return claimed;
}

/// Graves keep what is forgotten from being fetched, so that it is met in digests.
void Node::Impl::meet_forgotten(TimePoint now, const std::vector<StreamIntervals>& theirs) {
    for (const ForgottenNode& mark : forgetting_.marks()) {
        const bool is_held = std::any_of(theirs.begin(), theirs.end(), [&](const auto& stream) {
            // One of its streams that left here: of a start before the marked one.
            return stream.stream == mark.stream ||
                   (stream.author == mark.node && store_.is_buried(stream.stream));
        });
        if (is_held) {
            forgetting_.on_met(now, mark, prng_.between(Duration{}, Forgetting::kRepeatJitter));
        }
    }
}

/// True where a node was dropped: the topology is to be looked at again.
bool Node::Impl::drop_forgotten(TimePoint now) {
    bool is_dropped = false;
    const std::vector<ForgottenNode> marks = forgetting_.marks();
    const std::set<NodeId> claimed = claimed_of(marks);
    for (const ForgottenNode& mark : marks) {
        Forgetting::Facts facts;
        if (const HeldRecord* held = store_.node_record(mark.node)) {
            const RecordHeader& header = held->record.header;
            facts.is_later_start = header.stream != mark.stream && header.clock > mark.clock;
            facts.held_since = held->arrived;
        }
        const Membership::Member* member = membership_.find(mark.node);
        facts.is_alive = member != nullptr && member->status == NodeStatus::Alive;
        facts.is_claimed = claimed.count(mark.node) != 0;
        const Duration jitter = facts.held_since && !facts.is_later_start && !facts.is_alive
                                    ? prng_.between(Duration{}, Forgetting::kRepeatJitter)
                                    : Duration{};
        switch (forgetting_.judge(now, mark, facts, jitter)) {
            case Forgetting::Verdict::Drop:
                forget_node(now, mark.node, forgetting_.forgotten_by(mark));
                is_dropped = true;
                break;
            case Forgetting::Verdict::Void:
                store_.unbury(mark.stream);
                break;
            case Forgetting::Verdict::Nothing:
            case Forgetting::Verdict::Later:
                break;
        }
    }
    const HeldRecord* own = store_.node_record(self_.node);
    if (own != nullptr && own->record.node->forgotten != forgetting_.own()) {
        publish_node_soon(now);
    }
    return is_dropped;
}

}  // namespace meshd
