// SPDX-License-Identifier: Apache-2.0
#include "ipc/call_group.h"

#include "ipc/request.h"
#include "proto/base/assert.h"

namespace meshd::ipc {

CallGroup::CallGroup(bool is_batch, std::size_t calls, std::size_t bytes_before)
    : is_batch_(is_batch), open_(calls), bytes_before_(bytes_before), responses_(calls) {}

void CallGroup::finish(std::size_t index, std::string_view id, const std::string& result) {
    if (result.size() > bytes_left()) {
        Error error;
        error.code = ErrorCode::Overloaded;
        error.message = "the result is too large; ask for less at once";
        fail(index, id, error);
        was_refused_ = true;
        return;
    }
    put(index, print_result(id, result));
}

void CallGroup::fail(std::size_t index, std::string_view id, const Error& error) {
    put(index, print_error(id, error));
}

void CallGroup::skip() {
    MESHD_ASSERT(open_ > 0);
    --open_;
}

std::size_t CallGroup::bytes_left() const {
    const std::size_t held = bytes_before_ + bytes_;
    return held < kResultBytesMax ? kResultBytesMax - held : 0;
}

void CallGroup::put(std::size_t index, std::string response) {
    MESHD_ASSERT(open_ > 0 && index < responses_.size() && responses_[index].empty());
    bytes_ += response.size();
    responses_[index] = std::move(response);
    --open_;
}

std::string CallGroup::take_line() {
    MESHD_ASSERT(is_complete());
    std::string line;
    if (!is_batch_) {
        line = std::move(responses_.front());
    } else {
        line.reserve(bytes_ + responses_.size() + 3);
        for (const std::string& response : responses_) {
            if (!response.empty()) {
                line += line.empty() ? '[' : ',';
                line += response;
            }
        }
        if (!line.empty()) {
            line += ']';
        }
    }
    if (!line.empty()) {
        line += '\n';
    }
    responses_.clear();
    return line;
}

}  // namespace meshd::ipc
