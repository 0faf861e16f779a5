// SPDX-License-Identifier: Apache-2.0
// What the core must never do, so that the check of its symbols can be seen to fail.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <random>
#include <thread>

namespace meshd::broken {

long everything_forbidden() {
    long sum = std::time(nullptr);
    sum += std::chrono::steady_clock::now().time_since_epoch().count();
    sum += std::chrono::system_clock::now().time_since_epoch().count();
    sum += static_cast<long>(std::random_device()());
    sum += ::socket(AF_INET, SOCK_DGRAM, 0);
    sum += ::open("/dev/null", O_RDONLY);
    std::thread([] { std::cout << std::rand(); }).join();
    std::abort();
    return sum;
}

}  // namespace meshd::broken
