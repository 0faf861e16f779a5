// SPDX-License-Identifier: Apache-2.0
#include "daemon/keyring_keeper.h"

#include <utility>

#include "proto/base/assert.h"

namespace meshd {

struct KeyringKeeper::Write {
    uv_work_t work{};
    std::shared_ptr<Shared> shared;
    KeptKeys keys;
    std::string trouble;
    std::function<void(const std::string&)> done;
};

KeyringKeeper::KeyringKeeper(uv_loop_t* loop, std::filesystem::path path, KeptKeys kept)
    : loop_(loop), shared_(std::make_shared<Shared>()) {
    shared_->path = std::move(path);
    shared_->kept = std::move(kept);
}

void KeyringKeeper::store(KeptKeys keys, std::function<void(const std::string& trouble)> done) {
    MESHD_ASSERT(!shared_->is_busy);
    shared_->is_busy = true;
    auto* write = new Write{{}, shared_, std::move(keys), {}, std::move(done)};
    write->work.data = write;
    const auto run = [](uv_work_t* work) {
        auto* self = static_cast<Write*>(work->data);
        self->trouble = store_keyring(self->shared->path, self->keys);
    };
    const auto finish = [](uv_work_t* work, int) {
        const std::unique_ptr<Write> self(static_cast<Write*>(work->data));
        self->shared->is_busy = false;
        if (self->trouble.empty()) {
            self->shared->kept = std::move(self->keys);
        }
        if (!self->shared->is_closed) {
            self->done(self->trouble);
        }
    };
    MESHD_ASSERT(uv_queue_work(loop_, &write->work, run, finish) == 0);
}

}  // namespace meshd
