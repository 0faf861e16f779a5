// SPDX-License-Identifier: Apache-2.0
#include "tests/proto/links/node_pipe.h"

namespace meshd::test {

void NodePipe::start(std::uint8_t number, std::string_view name, std::uint8_t seed, Config config,
                     std::uint64_t instance) {
    NodeOptions options;
    options.node_id = id(name);
    options.instance = InstanceId{instance != 0 ? instance : number};
    options.entropy[0] = seed;
    options.version = "0.1.0";
    start(number, std::move(options), std::move(config));
}

void NodePipe::start(std::uint8_t number, NodeOptions options, Config config) {
    Box& box = boxes_[number];
    box.address = test::box(number);
    box.node = std::make_unique<Node>(std::move(config), std::move(options), now());
    box.node->handle_addresses(now(), {box.address});
    collect(number);
}

void NodePipe::collect(std::uint8_t number) {
    Box& from = boxes_.at(number);
    while (auto transmit = from.node->poll_transmit()) {
        for (const auto& [to, other] : boxes_) {
            const bool meant = transmit->is_beacon || other.address.same_address(transmit->to);
            if (meant && hears(number, to)) {
                wire_.emplace(now_ + delay, Datagram{from.address, to, transmit->bytes});
            }
        }
    }
    std::optional<Keyring> ring;
    while (auto output = from.node->poll_output()) {
        if (auto* wanted = std::get_if<KeyringWanted>(&*output); wanted != nullptr && keeps_rings) {
            ring = wanted->ring;
        }
        from.outputs.push_back(std::move(*output));
    }
    if (ring) {
        from.node->handle_security(now(), from.node->config().security, std::move(*ring));
        collect(number);
    }
}

void NodePipe::step(TimePoint until) {
    TimePoint next = until;
    if (!wire_.empty()) {
        next = std::min(next, wire_.begin()->first);
    }
    for (const auto& [number, box] : boxes_) {
        if (const auto at = box.node->next_timeout()) {
            next = std::min(next, *at);
        }
    }
    now_ = std::max(now_, next);
    while (!wire_.empty() && wire_.begin()->first <= now_) {
        Datagram datagram = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        const auto to = boxes_.find(static_cast<std::uint8_t>(datagram.to));
        if (to != boxes_.end()) {
            to->second.node->handle_datagram(now(), datagram.from, datagram.bytes);
            collect(to->first);
            arrived.push_back(std::move(datagram));
        }
    }
    for (auto& [number, box] : boxes_) {
        if (const auto at = box.node->next_timeout(); at && *at <= now_) {
            box.node->handle_timeout(now());
            collect(number);
        }
    }
}

void NodePipe::run_for(Duration duration) {
    run_until(duration, [] { return false; });
}

bool NodePipe::run_until(Duration limit, const std::function<bool()>& condition) {
    const TimePoint end = now_ + limit;
    while (!condition()) {
        if (now_ >= end) {
            return false;
        }
        step(end);
    }
    return true;
}

tl::expected<RequestId, CommandError> NodePipe::command(std::uint8_t number, Command command) {
    auto result = node(number).handle_command(now(), std::move(command));
    collect(number);
    return result;
}

void NodePipe::inject(std::uint8_t to, const Endpoint& from, Bytes datagram) {
    node(to).handle_datagram(now(), from, datagram);
    while (auto output = node(to).poll_output()) {
        boxes_.at(to).outputs.push_back(std::move(*output));
    }
}

std::vector<Transmit> NodePipe::sent_by(std::uint8_t number) {
    std::vector<Transmit> sent;
    while (auto transmit = node(number).poll_transmit()) {
        sent.push_back(std::move(*transmit));
    }
    return sent;
}

Buffer outside(const Message& message, std::uint8_t nonce_seed) {
    Prng random = prng(nonce_seed);
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random);
    builder.add(encode_message(message));
    return std::move(builder).finish(
        nullptr, std::holds_alternative<Hello>(message) ? limits::kHelloBytes : 0);
}

Buffer in_session(SessionId session, std::uint64_t counter,
                  const std::vector<EncodedMessage>& messages) {
    DatagramHeader header;
    header.session = session;
    header.counter = counter;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, nullptr);
    for (const EncodedMessage& message : messages) {
        builder.add(message);
    }
    return std::move(builder).finish();
}

}  // namespace meshd::test
