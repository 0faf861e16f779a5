// SPDX-License-Identifier: Apache-2.0
// What one datagram of bulk costs each side in CPU time: 64 KiB deltas through two egresses joined
// by function calls, in virtual time. With a loss in percent as the argument, also how long the
// transfer takes in virtual time over a link of 1 ms round trip.
#include <sodium.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>

#include "proto/links/egress.h"
#include "proto/wire/fragment.h"

using namespace meshd;

namespace {

constexpr std::size_t kDeltas = 2000;
constexpr std::size_t kDeltaBytes = 64 * 1024;
constexpr std::size_t kBacklog = 7;
constexpr Duration kOneWay = std::chrono::microseconds(500);
constexpr Duration kTurn = std::chrono::microseconds(100);

struct InTransit {
    TimePoint at;
    Buffer bytes;
};

/// CPU time of this thread: the machine may do other things meanwhile.
class Stopwatch {
  public:
    void start() { started_us_ = now_us(); }
    void stop() { us_ += now_us() - started_us_; }
    double us() const { return us_; }

  private:
    static double now_us() {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
    }
    double started_us_ = 0;
    double us_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (sodium_init() < 0) {  // picks the fastest BLAKE2b for this processor
        return 1;
    }
    const double loss = argc > 1 ? std::atof(argv[1]) / 100 : 0;
    Counters counters;
    RttEstimator rtt;
    rtt.add(2 * kOneWay);
    Egress sender(SessionId{1}, limits::kDatagramBytesDefault, counters);
    Egress receiver(SessionId{2}, limits::kDatagramBytesDefault, counters);
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    Prng prng(Entropy{1});
    EncodedMessage delta;
    delta.kind = MessageKind::Delta;
    delta.bytes.assign(kDeltaBytes, 0x5a);
    const auto message = std::make_shared<const EncodedMessage>(std::move(delta));

    std::deque<InTransit> forth;
    std::deque<InTransit> back;
    Stopwatch sending;
    Stopwatch receiving;
    std::size_t queued = 0;
    std::size_t arrived = 0;
    std::size_t datagrams = 0;
    TimePoint now{};
    while (arrived < kDeltas && now < TimePoint(std::chrono::hours(1))) {
        now += kTurn;
        sending.start();
        for (; !back.empty() && back.front().at <= now; back.pop_front()) {
            const auto opened = open_datagram(back.front().bytes);
            for (const Item& item : opened->items) {
                sender.on_ack(std::get<Ack>(*decode_message(item.kind, item.bytes)));
            }
        }
        sender.on_timeout(now);
        while (queued < kDeltas && queued - arrived < kBacklog) {
            sender.send(message, TrafficClass::Bulk, true);
            ++queued;
        }
        while (auto bytes = sender.poll(now, rtt)) {
            ++datagrams;
            if (prng.unit() >= loss) {
                forth.push_back({now + kOneWay, std::move(*bytes)});
            }
        }
        sending.stop();

        receiving.start();
        for (; !forth.empty() && forth.front().at <= now; forth.pop_front()) {
            const auto opened = open_datagram(forth.front().bytes);
            for (const Item& item : opened->items) {
                const auto part = decode_message(item.kind, item.bytes);
                if (reassembler.on_fragment(now, std::get<Fragment>(*part)) ==
                    Reassembler::Result::Complete) {
                    reassembler.take();
                    ++arrived;
                }
            }
            receiver.on_received(now, opened->header.counter, true);
            while (auto bytes = receiver.poll(now, rtt)) {
                if (prng.unit() >= loss) {
                    back.push_back({now + kOneWay, std::move(*bytes)});
                }
            }
        }
        receiver.on_timeout(now);
        while (auto bytes = receiver.poll(now, rtt)) {
            back.push_back({now + kOneWay, std::move(*bytes)});
        }
        receiving.stop();
    }
    const double ms = static_cast<double>(to_ms(now.time_since_epoch()));
    const double megabytes = static_cast<double>(arrived * kDeltaBytes) / 1e6;
    std::printf("datagrams %zu, sender %.2f us each, receiver %.2f us each\n", datagrams,
                sending.us() / static_cast<double>(datagrams),
                receiving.us() / static_cast<double>(datagrams));
    std::printf("repeated %.1f %%, %.1f MB/s of virtual time at 1 ms round trip\n",
                100 * static_cast<double>(counters[Counter::messages_retransmitted]) /
                    static_cast<double>(datagrams),
                megabytes * 1000 / ms);
    return arrived == kDeltas ? 0 : 1;
}
