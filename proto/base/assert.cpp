// SPDX-License-Identifier: Apache-2.0
#include "proto/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace meshd {

void assertion_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "meshd: assertion failed: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace meshd
