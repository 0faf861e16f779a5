// SPDX-License-Identifier: Apache-2.0
// Runs the files of a corpus through a fuzz target, in order of name: what once was found stays
// mended, without a fuzzer. With --mutate it goes on with random changes of them, blindly, where
// there is no Clang to guide it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/input.h"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMutantBytesMax = 4096;

void run(const std::string& bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

class Mutator {
  public:
    Mutator(std::vector<std::string> corpus, unsigned seed)
        : corpus_(std::move(corpus)), random_(seed) {}

    std::string next() {
        std::string bytes = pick();
        for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
            change(bytes);
        }
        bytes.resize(std::min(bytes.size(), kMutantBytesMax));
        return bytes;
    }

  private:
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
    const std::string& pick() { return corpus_[below(corpus_.size())]; }
    std::string part_of(const std::string& bytes, std::size_t most) {
        return bytes.substr(below(bytes.size()), 1 + below(most));
    }
    void change(std::string& bytes) {
        const std::size_t at = below(bytes.size());
        switch (below(8)) {
            case 0:
                bytes.erase(at, 1 + below(16));
                return;
            case 1:
                bytes.insert(at, part_of(bytes, 64));
                return;
            case 2:
                bytes.insert(at, part_of(pick(), 200));
                return;
            case 3: {
                const std::string& other = pick();
                bytes.resize(at);
                bytes += other.substr(std::min(at, other.size()));
                return;
            }
            case 4:
                bytes.insert(at, 1 + below(4), static_cast<char>(random_()));
                return;
            case 5: {
                constexpr char kEdges[] = {'\0', '\x01', '\x7f', '\x80', '\xff', '0', '9', '-'};
                if (!bytes.empty()) {
                    bytes[at] = kEdges[below(sizeof kEdges)];
                }
                return;
            }
            default:
                if (!bytes.empty()) {
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
                }
                return;
        }
    }

    std::vector<std::string> corpus_;
    std::mt19937 random_;
};

int usage(const char* program) {
    std::fprintf(stderr,
                 "usage: %s FILE_OR_DIRECTORY...\n"
                 "       %s --mutate RUNS SEED LAST FILE_OR_DIRECTORY...\n"
                 "LAST: file that holds the input under way, the culprit after a crash\n",
                 program, program);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_mutating = argc > 5 && std::strcmp(argv[1], "--mutate") == 0;
    std::vector<fs::path> paths;
    for (int i = is_mutating ? 5 : 1; i < argc; ++i) {
        if (!fs::is_directory(argv[i])) {
            paths.emplace_back(argv[i]);
            continue;
        }
        for (const auto& entry : fs::directory_iterator(argv[i])) {
            paths.push_back(entry.path());
        }
    }
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) {
        return usage(argv[0]);
    }
    std::vector<std::string> corpus;
    for (const fs::path& path : paths) {
        std::ifstream file(path, std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "cannot read %s\n", path.c_str());
            return 1;
        }
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        // Printed before it runs: the last name is the culprit's.
        std::printf("%s\n", path.filename().c_str());
        std::fflush(stdout);
        run(corpus.back());
    }
    if (is_mutating) {
        Mutator mutator(std::move(corpus), static_cast<unsigned>(std::atoi(argv[3])));
        for (long runs = std::atol(argv[2]); runs > 0; --runs) {
            const std::string bytes = mutator.next();
            std::ofstream(argv[4], std::ios::binary) << bytes;
            run(bytes);
        }
    }
}
