// SPDX-License-Identifier: Apache-2.0
// The raw limit that store_bench.py compares with: datagrams of one size from one network namespace
// to another, without any protocol, by the same system calls and socket buffers as meshd's. With
// "sealed" each is encrypted by its sender and authenticated and decrypted by its receiver: 16
// bytes of header, what is sealed, 16 bytes of tag, each end on the one core that has its process.
#include <arpa/inet.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kDatagramBytesMax = 9000;
/// As daemon/udp_bind.cpp sets it.
constexpr int kBufferBytes = 4 << 20;
/// Silence after the first datagram that ends the receiver.
constexpr timeval kIdle{0, 500'000};

struct Batch {
    explicit Batch(std::size_t bytes) {
        for (std::size_t i = 0; i < kBatch; ++i) {
            vectors[i] = {room[i].data(), bytes};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
    }
    std::array<std::array<char, kDatagramBytesMax>, kBatch> room{};
    std::array<iovec, kBatch> vectors{};
    std::array<mmsghdr, kBatch> messages{};
};

/// ChaCha20-Poly1305 as RFC 8439 has it. The nonce is the counter in the header, as in any session.
class Seal {
  public:
    static constexpr std::size_t kHeaderBytes = 16;
    static constexpr std::size_t kBytesMin =
        kHeaderBytes + crypto_aead_chacha20poly1305_ietf_ABYTES;

    /// Seals all of a datagram but its header and its tag, in place.
    void close(char* datagram, std::size_t bytes) {
        ++counter_;
        std::memcpy(datagram, &counter_, sizeof counter_);
        auto* at = reinterpret_cast<unsigned char*>(datagram);
        const auto nonce = nonce_of(counter_);
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(
            at + kHeaderBytes, at + bytes - crypto_aead_chacha20poly1305_ietf_ABYTES, nullptr,
            at + kHeaderBytes, bytes - kBytesMin, at, kHeaderBytes, nullptr, nonce.data(),
            kKey.data());
    }
    /// False for what nobody with the key has sealed.
    bool open(char* datagram, std::size_t bytes) const {
        if (bytes < kBytesMin) {
            return false;
        }
        std::uint64_t counter = 0;
        std::memcpy(&counter, datagram, sizeof counter);
        auto* at = reinterpret_cast<unsigned char*>(datagram);
        return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                   at + kHeaderBytes, nullptr, at + kHeaderBytes, bytes - kBytesMin,
                   at + bytes - crypto_aead_chacha20poly1305_ietf_ABYTES, at, kHeaderBytes,
                   nonce_of(counter).data(), kKey.data()) == 0;
    }

  private:
    using Nonce = std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;
    static constexpr std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_KEYBYTES> kKey{};
    static Nonce nonce_of(std::uint64_t counter) {
        Nonce nonce{};
        std::memcpy(nonce.data() + nonce.size() - sizeof counter, &counter, sizeof counter);
        return nonce;
    }
    std::uint64_t counter_ = 0;
};

int fail(const char* what) {
    std::fprintf(stderr, "raw_udp: %s: %s\n", what, std::strerror(errno));
    return 1;
}

/// Of this process, which has one thread.
double cpu_seconds() {
    timespec spent{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

double seconds_of(Clock::duration span) {
    return std::chrono::duration<double>(span).count();
}

int receive(int fd, const sockaddr_in& address, bool is_sealed) {
    int buffer = kBufferBytes;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    socklen_t size = sizeof buffer;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, &size);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail("bind");
    }
    std::printf("ready\n");
    std::fflush(stdout);
    static Batch batch(kDatagramBytesMax);
    const Seal seal;
    unsigned long long datagrams = 0;
    unsigned long long bytes = 0;
    Clock::time_point first;
    Clock::time_point last;
    while (true) {
        const int got = recvmmsg(fd, batch.messages.data(), kBatch, MSG_WAITFORONE, nullptr);
        if (got < 0) {
            if (errno == EAGAIN) {
                break;
            }
            return fail("recvmmsg");
        }
        last = Clock::now();
        if (datagrams == 0) {
            first = last;
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kIdle, sizeof kIdle);
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
            const std::size_t length = batch.messages[i].msg_len;
            if (!is_sealed || seal.open(batch.room[i].data(), length)) {
                datagrams += 1;
                bytes += length;
            }
        }
    }
    std::printf("{\"datagrams\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"cpu\":%.6f,\"buffer\":%d}\n",
                datagrams, bytes, seconds_of(last - first), cpu_seconds(), buffer);
    return 0;
}

/// `rate`: datagrams per second; 0: as fast as it goes.
int send(int fd, const sockaddr_in& address, unsigned long count, std::size_t bytes, double rate,
         bool is_sealed) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kBufferBytes, sizeof kBufferBytes);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail("connect");
    }
    static Batch batch(bytes);
    Seal seal;
    const Clock::time_point started = Clock::now();
    unsigned long sent = 0;
    while (sent < count) {
        unsigned long due = count;
        if (rate > 0) {
            due = std::min(
                count, static_cast<unsigned long>(rate * seconds_of(Clock::now() - started)) + 1);
            if (due <= sent) {
                std::this_thread::sleep_for(std::chrono::microseconds(200));
                continue;
            }
        }
        const auto wanted = static_cast<unsigned>(std::min<unsigned long>(kBatch, due - sent));
        for (std::size_t i = 0; is_sealed && i < wanted; ++i) {
            seal.close(batch.room[i].data(), bytes);
        }
        const int done = sendmmsg(fd, batch.messages.data(), wanted, 0);
        if (done < 0) {
            return fail("sendmmsg");
        }
        sent += static_cast<unsigned>(done);
    }
    std::printf("{\"datagrams\":%lu,\"seconds\":%.6f,\"cpu\":%.6f}\n", sent,
                seconds_of(Clock::now() - started), cpu_seconds());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_sealed = argc > 1 && std::string_view(argv[argc - 1]) == "sealed";
    argc -= is_sealed ? 1 : 0;
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (!(verb == "receive" && argc == 3) && !(verb == "send" && argc == 7)) {
        std::fprintf(stderr,
                     "usage: raw_udp receive PORT [sealed]\n"
                     "       raw_udp send ADDRESS PORT COUNT BYTES RATE [sealed]\n");
        return 2;
    }
    if (sodium_init() < 0) {  // picks the fastest code for this processor
        return fail("libsodium");
    }
    const bool is_sender = verb == "send";
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[is_sender ? 3 : 2])));
    if (is_sender && inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
        std::fprintf(stderr, "raw_udp: %s is no IPv4 address\n", argv[2]);
        return 2;
    }
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) {
        return fail("socket");
    }
    if (!is_sender) {
        return receive(fd, address, is_sealed);
    }
    const std::size_t bytes =
        std::clamp(static_cast<std::size_t>(std::atol(argv[5])),
                   is_sealed ? Seal::kBytesMin : std::size_t{1}, kDatagramBytesMax);
    return send(fd, address, static_cast<unsigned long>(std::atol(argv[4])), bytes,
                std::atof(argv[6]), is_sealed);
}
