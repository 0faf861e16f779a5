// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "daemon/resolver.h"

namespace meshd {

/// Looks host names up (getaddrinfo) beside the loop. Not by uv_getaddrinfo(): libuv waits at the
/// end for its threads, and a name server that is cut off keeps one for half a minute.
class NameLookup {
  public:
    using OnResult = std::function<void(const std::string& name, const LookupResult& result)>;
    /// Threads at once; other names wait.
    static constexpr std::size_t kThreadsMax = 2;

    /// `on_result` is called from the loop only, never inside a call of this class.
    NameLookup(uv_loop_t* loop, OnResult on_result);
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;
    ~NameLookup();

    void start(std::string name);

  private:
    struct Shared;
    void take_results();

    OnResult on_result_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace meshd
