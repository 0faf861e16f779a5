// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/entry_line.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "ipc/client/client.h"

namespace meshd::cli {

struct ImportOptions {
    std::string only_node;  ///< only lines of this node; empty = all
    std::uint64_t from_line = 1;
    bool is_durable = false;
};

struct ImportCounts {
    std::uint64_t lines = 0;  ///< read, without those before from_line
    std::uint64_t stored = 0;
    std::uint64_t refused = 0;
    std::uint64_t expired = 0;
    std::uint64_t merged = 0;       ///< older than another line of the same hash
    std::uint64_t other_nodes = 0;  ///< left out by only_node
    std::uint64_t not_durable = 0;  ///< stored, but not on disk although asked for
    /// Where it ended early: every line before this one is settled.
    std::optional<std::uint64_t> next_line;
};

/// Puts the lines of a file into the registry: in batches, several under way at once, waiting where
/// the daemon is overloaded. A batch is stored as a whole or not at all, so one refused for one
/// entry is sent again without it. Refusals are said on standard error.
class EntryImport {
  public:
    /// Entries of one call.
    static constexpr std::size_t kBatchEntries = 100;
    /// Bytes of one call: a request is at most 1 MiB.
    static constexpr std::size_t kBatchBytes = std::size_t{512} << 10;
    /// Calls under way: enough that the daemon never waits for us, few enough to take back.
    static constexpr std::size_t kCallsMax = 4;

    EntryImport(Context& context, ipc::Client& client, LineReader& reader, ImportOptions options);

    /// Until the end of the file, Ctrl-C or a failure that is not of one line (told). Ok: all lines
    /// were stored or left out on purpose; Partial: some were refused, or it was interrupted.
    ExitCode run();
    const ImportCounts& counts() const { return counts_; }

  private:
    struct Item {
        std::uint64_t line = 0;
        EntryLine entry;
    };
    struct Batch {
        std::uint64_t call = 0;
        std::vector<Item> items;
    };
    /// Nothing: goes on. Else the exit code, the reason has been told.
    using Stop = std::optional<ExitCode>;

    Stop read_all();
    Stop take(const LineReader::Line& line);
    Stop add(Item item);
    /// Sends the batch, and waits until no more than kCallsMax are under way.
    Stop flush();
    Stop send(std::vector<Item> items);
    /// Waits for the oldest call under way.
    Stop settle_one();
    Stop on_refusal(const ipc::ClientError& error, std::vector<Item> items);
    void refuse(std::uint64_t line, const std::string& why);
    Stop stop(ExitCode code, const std::string& why);
    void show_progress();
    std::optional<std::uint64_t> first_unsettled() const;

    Context& context_;
    ipc::Client& client_;
    LineReader& reader_;
    ImportOptions options_;
    ImportCounts counts_;
    Interrupt interrupt_;
    Progress progress_;
    std::uint64_t line_ = 0;  ///< the last one read
    std::vector<Item> batch_;
    std::size_t batch_bytes_ = 0;
    std::deque<Batch> calls_;
};

}  // namespace meshd::cli
