// SPDX-License-Identifier: Apache-2.0
// Key tokens, key ids and keyring files: what is read prints as the same again.
#include "daemon/keyring_file.h"
#include "proto/base/assert.h"
#include "tests/fuzz/input.h"

using namespace meshd;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text({data, size});
    if (const auto key = parse_key_token(text)) {
        MESHD_ASSERT(parse_key_token(print_key_token(*key)) == *key);
    }
    if (const auto id = parse_key_id(text)) {
        MESHD_ASSERT(print_key_id(*id) == text);
    }
    if (const auto keys = parse_keyring(text)) {
        MESHD_ASSERT(keys->ring.keys.size() <= Keyring::kKeysMax);
        MESHD_ASSERT(keys->ring.empty() == (keys->ring.active_key() == nullptr));
        MESHD_ASSERT(parse_keyring(print_keyring(*keys)) == *keys);
    }
    return 0;
}
