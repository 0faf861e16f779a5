// SPDX-License-Identifier: Apache-2.0
/// \file
/// Preloaded into a daemon by wall_clock.py: moves its wall clock by the seconds in the file that
/// SHIFTED_CLOCK_FILE names (a native int64), and leaves its monotonic clock alone. Namespaces
/// cannot do that: a time namespace has no offset for CLOCK_REALTIME.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

std::int64_t shift_seconds() {
    static const volatile std::int64_t* const shift = []() -> const volatile std::int64_t* {
        const char* path = std::getenv("SHIFTED_CLOCK_FILE");
        const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return nullptr;
        void* const page = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        return page == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(page);
    }
    ();
    return shift == nullptr ? 0 : *shift;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* result) noexcept {
    const long done = syscall(SYS_clock_gettime, clock, result);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        result->tv_sec += shift_seconds();
    }
    return static_cast<int>(done);
}

extern "C" int gettimeofday(timeval* result, void*) noexcept {
    timespec now{};
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}

extern "C" time_t time(time_t* result) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != nullptr)
        *result = now.tv_sec;
    return now.tv_sec;
}
