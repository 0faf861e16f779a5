// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/fragment.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {
namespace {

/// Longest JSON of a fragment, its length before it included.
constexpr std::size_t kFragmentWrapperBytesMax =
    limits::kJsonLengthBytes +
    std::string_view(R"({"m":4294967295,"i":159,"n":160,"k":255})").size();

/// A sender that lost its link to us does not come back to these; one that still has it repeats
/// each fragment at least every 250 ms.
constexpr Duration kReassemblyTimeout = std::chrono::seconds(2);

}  // namespace

std::vector<EncodedMessage> split_message(const EncodedMessage& whole, std::uint32_t number,
                                          std::size_t bytes_max) {
    MESHD_ASSERT(bytes_max > kFragmentWrapperBytesMax && !whole.bytes.empty());
    const std::size_t part_bytes = bytes_max - kFragmentWrapperBytesMax;
    const std::size_t count = (whole.bytes.size() + part_bytes - 1) / part_bytes;
    MESHD_ASSERT(count <= limits::kFragmentsMax);
    std::vector<EncodedMessage> parts;
    parts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * part_bytes;
        Fragment fragment;
        fragment.message = number;
        fragment.index = static_cast<std::uint16_t>(i);
        fragment.count = static_cast<std::uint16_t>(count);
        fragment.kind = whole.kind;
        fragment.bytes =
            Bytes(whole.bytes).subspan(at, std::min(part_bytes, whole.bytes.size() - at));
        parts.push_back(encode_message(fragment));
    }
    return parts;
}

Reassembler::~Reassembler() {
    budget_->bytes_used -= bytes_;
}

Reassembler::Result Reassembler::on_fragment(TimePoint now, const Fragment& fragment) {
    if (fragment.index >= fragment.count || fragment.count > limits::kFragmentsMax ||
        fragment.bytes.empty() || fragment.bytes.size() > limits::kMessageBytesMax) {
        return Result::Malformed;
    }
    if (!completed_.is_new(fragment.message)) {
        return Result::Duplicate;
    }
    auto it = partials_.find(fragment.message);
    const bool is_first = it == partials_.end();
    if (!is_first) {
        const Partial& partial = it->second;
        if (partial.kind != fragment.kind || partial.parts.size() != fragment.count) {
            return Result::Malformed;
        }
        if (const Bytes held = bytes_of(partial, partial.parts[fragment.index]); !held.empty()) {
            return std::equal(held.begin(), held.end(), fragment.bytes.begin(),
                              fragment.bytes.end())
                       ? Result::Duplicate
                       : Result::Malformed;
        }
        if (partial.bytes.size() + fragment.bytes.size() > limits::kMessageBytesMax) {
            return Result::Malformed;
        }
    } else if (partials_.size() >= limits::kReassembliesPerLinkMax) {
        return Result::NoRoom;
    }
    if (bytes_ + fragment.bytes.size() > limits::kReassemblyBytesPerLinkMax ||
        budget_->bytes_used + fragment.bytes.size() > limits::kReassemblyBytesMax) {
        return Result::NoRoom;
    }

    if (is_first) {
        it = partials_.emplace(fragment.message, Partial{}).first;
        it->second.kind = fragment.kind;
        it->second.parts.resize(fragment.count);
        it->second.bytes = std::exchange(spare_, {});
    }
    Partial& partial = it->second;
    partial.is_in_order = partial.is_in_order && fragment.index == partial.parts_held;
    partial.parts[fragment.index] = {partial.bytes.size(), fragment.bytes.size()};
    append(partial.bytes, fragment.bytes);
    partial.parts_held += 1;
    partial.last_progress = now;
    bytes_ += fragment.bytes.size();
    budget_->bytes_used += fragment.bytes.size();
    if (partial.parts_held < partial.parts.size()) {
        return Result::Stored;
    }
    complete(partial);
    drop(it);
    return Result::Complete;
}

void Reassembler::complete(Partial& partial) {
    bytes_ -= partial.bytes.size();
    budget_->bytes_used -= partial.bytes.size();
    done_.kind = partial.kind;
    if (partial.is_in_order) {
        done_.bytes = std::exchange(partial.bytes, {});
        return;
    }
    done_.bytes = {};
    done_.bytes.reserve(partial.bytes.size());
    for (const Part& part : partial.parts) {
        append(done_.bytes, bytes_of(partial, part));
    }
    recycle(std::exchange(partial.bytes, {}));
}

void Reassembler::recycle(Buffer&& bytes) {
    spare_ = std::move(bytes);
    spare_.clear();
}

EncodedMessage Reassembler::take() {
    return std::move(done_);
}

std::size_t Reassembler::on_timeout(TimePoint now) {
    std::size_t dropped = 0;
    for (auto it = partials_.begin(); it != partials_.end();) {
        const auto next = std::next(it);
        if (it->second.last_progress + kReassemblyTimeout <= now) {
            drop(it);
            ++dropped;
        }
        it = next;
    }
    return dropped;
}

std::optional<TimePoint> Reassembler::next_deadline() const {
    std::optional<TimePoint> earliest;
    for (const auto& [number, partial] : partials_) {
        const TimePoint deadline = partial.last_progress + kReassemblyTimeout;
        if (!earliest || deadline < *earliest) {
            earliest = deadline;
        }
    }
    return earliest;
}

void Reassembler::drop(std::map<std::uint32_t, Partial>::iterator it) {
    // Given up counts as completed: what was acknowledged is not sent again, so that stragglers of
    // the message would only hold a place that they cannot fill.
    completed_.accept(it->first);
    bytes_ -= it->second.bytes.size();
    budget_->bytes_used -= it->second.bytes.size();
    partials_.erase(it);
}

}  // namespace meshd
