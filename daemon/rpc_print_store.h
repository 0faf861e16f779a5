// SPDX-License-Identifier: Apache-2.0
/// \file
/// Registry entries, the shared state and backups as the JSON texts that ipc/API.md describes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "daemon/mesh_access.h"
#include "proto/base/json.h"
#include "proto/node.h"
#include "proto/view.h"

namespace meshd {

/// One entry as an object; with `with_embedding` as {"f16": base64}, null where there is none; with
/// `score` where it was searched for.
void write_entry(json::Writer& writer, const EntryView& entry, bool with_embedding,
                 std::optional<double> score = std::nullopt);
/// What `next` and `after` name an entry by: "<node>/<hash>".
std::string print_entry_key(const EntryView& entry);

/// {"entries":[…],"next":…}, grown entry by entry.
class EntryPagePrinter {
  public:
    /// A page ends with the entry that passes so many bytes.
    static constexpr std::size_t kBytesMax = std::size_t{8} << 20;

    explicit EntryPagePrinter(bool with_embedding);
    void add(const EntryView& entry);
    bool is_full() const { return text_.size() >= kBytesMax; }
    /// `is_last`: nothing is behind what was added. Once.
    std::string finish(bool is_last);

  private:
    bool with_embedding_;
    std::string text_;
    json::Writer writer_;
    std::string last_key_;
};

std::string print_put(const EntriesPut& put);

/// Bytes of the members' values, as they will be printed.
std::size_t shared_bytes(const std::vector<SharedView>& members);
/// {"state":{…},"members":{key:{by,age_ms}}}
std::string print_shared(const std::vector<SharedView>& members);
/// {"changed":…,"state":{…}}; state is null where `members` is beyond a page.
std::string print_shared_updated(std::size_t changed, const std::vector<SharedView>& members);
std::string print_backup(const BackupDone& done);

/// Data of events.
std::string print_registry_event(const RegistryEvent& event);
std::string print_shared_event(const SharedEvent& event);

}  // namespace meshd
