// SPDX-License-Identifier: Apache-2.0
/// \file
/// The exact search in numbers, each beside what it is compared with, in one run: rounds take
/// turns, and medians are compared. Build it by the release preset.
///
/// usage: vector_bench [--rows N] [--dimension N] [--rounds N] [--verify QUERIES] [--json]
/// --verify compares that many queries with brute force, while entries are put, updated and deleted
/// (10 000 take minutes). Exit status 1 on a mismatch.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#ifdef MESHD_BENCH_FAISS
#include <faiss/IndexFlat.h>
#include <omp.h>
#endif

#include "tests/bench/plain_scan.h"
#include "tests/proto/search/search_support.h"

namespace {

using namespace meshd;
using namespace meshd::test;
using namespace meshd::bench;

constexpr std::size_t kTypes = 10;
constexpr std::size_t kBest = 10;

struct Options {
    std::size_t rows = 100'000;
    std::size_t dimension = 512;
    std::size_t rounds = 31;
    std::size_t verify = 300;
    bool is_json = false;
};

/// Of this thread on its processor: others that load the machine take time, and not all of it
/// counts.
double us_of(const std::function<void()>& what) {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
    };
    const double start = now();
    what();
    return now() - start;
}

double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    long size = 0;
    long resident = 0;
    statm >> size >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Times of one thing over the rounds.
struct Series {
    std::string name;
    std::function<void()> what;
    std::vector<double> us{};

    double median() const {
        std::vector<double> sorted = us;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
    double best() const { return *std::min_element(us.begin(), us.end()); }
};

/// What is printed: a name, a value, its unit, and what is asked of it.
struct Line {
    std::string name;
    double value;
    const char* unit;
    std::string asked{};
};

void print(const std::vector<Line>& lines, const Options& options) {
    if (!options.is_json) {
        std::printf("%zu rows of %zu values, best %zu, medians of %zu rounds\n", options.rows,
                    options.dimension, kBest, options.rounds);
        for (const Line& line : lines) {
            std::printf("%-52s %10.3f %-6s %s\n", line.name.c_str(), line.value, line.unit,
                        line.asked.c_str());
        }
        return;
    }
    std::printf("{\"rows\":%zu,\"dimension\":%zu,\"rounds\":%zu", options.rows, options.dimension,
                options.rounds);
    for (const Line& line : lines) {
        std::printf(",\n \"%s [%s]\":%.4f", line.name.c_str(), line.unit, line.value);
    }
    std::printf("}\n");
}

std::string type_of(std::uint64_t number) {
    return "type-" + std::to_string(number % kTypes);
}

/// An index, and the same rows as floats, for those who search these.
struct Data {
    Data(Shape shape, const Options& options)
        : vectors(42, shape, options.dimension), dimension(options.dimension) {
        matrix.resize(options.rows * dimension);
        rows.reserve(options.rows);
        for (std::uint64_t i = 0; i < options.rows; ++i) {
            rows.push_back(row_of(i, embedding_of(vectors.next())));
            keep(i);
        }
    }
    VectorSpaceKey key(const std::string& type) const {
        return {"space", type, static_cast<std::uint32_t>(dimension)};
    }
    void insert(std::uint64_t i) { index.insert(key(type_of(i)), rows[i]); }
    void insert_all() {
        for (std::uint64_t i = 0; i < rows.size(); ++i) {
            insert(i);
        }
    }
    void keep(std::uint64_t i) {
        halves_to_floats(row_halves(rows[i], dimension), matrix.data() + i * dimension);
    }
    IndexSnapshot snapshot(const std::string& type = {}) { return index.snapshot(key(type)); }

    Vectors vectors;
    std::size_t dimension;
    std::vector<VectorRow> rows;
    std::vector<float> matrix;
    VectorIndex index;
};

/// Brute force over the floats, for a block of queries, so that each row is read once for all.
std::vector<std::vector<std::pair<double, std::uint64_t>>> brute_force(
    const Data& data, const std::vector<std::vector<double>>& queries,
    const std::vector<bool>& is_held) {
    std::vector<std::vector<std::pair<double, std::uint64_t>>> heaps(queries.size());
    // By score falling, then by number rising.
    const auto is_better = [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    for (std::uint64_t i = 0; i < data.rows.size(); ++i) {
        const auto values = std::span(data.matrix).subspan(i * data.dimension, data.dimension);
        for (std::size_t q = 0; is_held[i] && q < queries.size(); ++q) {
            auto& heap = heaps[q];
            heap.emplace_back(cosine(queries[q], std::span<const float>(values)), i);
            std::push_heap(heap.begin(), heap.end(), is_better);
            if (heap.size() > kBest) {
                std::pop_heap(heap.begin(), heap.end(), is_better);
                heap.pop_back();
            }
        }
    }
    for (auto& heap : heaps) {
        std::sort_heap(heap.begin(), heap.end(), is_better);
    }
    return heaps;
}

/// Queries whose answer is not brute force's, of `count`, while rows come and go.
std::size_t mismatches(Shape shape, const Options& options, std::size_t count) {
    constexpr std::size_t kBlock = 20;
    constexpr std::size_t kChanges = 200;
    Data data(shape, options);
    data.insert_all();
    std::vector<bool> is_held(options.rows, true);
    Prng& prng = data.vectors.prng();
    std::size_t wrong = 0;
    for (std::size_t done = 0; done < count; done += kBlock) {
        std::vector<std::vector<float>> queries;
        for (std::size_t i = 0; i < std::min(kBlock, count - done); ++i) {
            queries.push_back(data.vectors.next());
        }
        const NearestScan scan = scan_of(queries, kBest);
        const NearestHits found = find_nearest(data.snapshot(), scan);
        const auto expected = brute_force(data, scan.queries, is_held);
        for (std::size_t q = 0; q < queries.size(); ++q) {
            std::vector<std::pair<double, std::uint64_t>> hits;
            for (const NearestHit& hit : found.of_query[q]) {
                hits.emplace_back(hit.score, number_of(hit.row));
            }
            wrong += hits == expected[q] ? 0 : 1;
        }
        for (std::size_t i = 0; i < kChanges; ++i) {
            const std::uint64_t row = prng.below(options.rows);
            if (is_held[row]) {
                data.index.erase(data.rows[row].record);
            }
            is_held[row] = !is_held[row] || prng.below(3) != 0;
            if (is_held[row]) {
                data.rows[row] = row_of(row, embedding_of(data.vectors.next()));
                data.keep(row);
                data.insert(row);
            }
        }
    }
    return wrong;
}

/// Mean time of erasing rows and of inserting new ones while searches go on, in µs.
std::pair<double, double> change_times(Data& data) {
    const std::size_t count = data.rows.size() / 5;
    Prng& prng = data.vectors.prng();
    std::vector<std::uint64_t> chosen;
    std::vector<VectorRow> made;
    for (std::size_t i = 0; i < count; ++i) {
        chosen.push_back(i * 5 + prng.below(5));
        made.push_back(row_of(chosen.back(), embedding_of(data.vectors.next())));
    }
    // Somebody still holds a snapshot.
    const IndexSnapshot held = data.snapshot();
    const double erasing = us_of([&] {
        for (const std::uint64_t i : chosen) {
            data.index.erase(data.rows[i].record);
        }
    });
    const double inserting = us_of([&] {
        for (std::size_t i = 0; i < count; ++i) {
            data.index.insert(data.key(type_of(chosen[i])), made[i]);
        }
    });
    for (std::size_t i = 0; i < count; ++i) {
        data.rows[chosen[i]] = made[i];
        data.keep(chosen[i]);
    }
    return {erasing / static_cast<double>(count), inserting / static_cast<double>(count)};
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        std::size_t* number = name == "--rows"        ? &options.rows
                              : name == "--dimension" ? &options.dimension
                              : name == "--rounds"    ? &options.rounds
                              : name == "--verify"    ? &options.verify
                                                      : nullptr;
        if (name == "--json") {
            options.is_json = true;
        } else if (number != nullptr && i + 1 < argc) {
            *number = std::strtoul(argv[++i], nullptr, 10);
        } else {
            std::fprintf(stderr, "vector_bench: %s is no option\n", argv[i]);
            std::exit(2);
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    const auto row_count = static_cast<double>(options.rows);
    std::vector<Line> lines;

    // Gaussian: what embeddings of unrelated things look like.
    Data data(Shape::Gaussian, options);
    const double before = resident_bytes();
    const double cold = us_of([&] { data.insert_all(); });
    const double after_cold = resident_bytes();
    std::vector<std::vector<float>> queries;
    for (std::size_t i = 0; i < options.rounds + 4; ++i) {
        queries.push_back(data.vectors.next());
    }
    const double first =
        us_of([&] { find_nearest(data.snapshot(), scan_of({queries[0]}, kBest)); });
    const double after_first = resident_bytes();

    IndexSnapshot snapshot = data.snapshot();
    const IndexSnapshot one_type = data.snapshot(type_of(0));
    std::size_t round = 0;
    std::size_t reranked = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t sink = 0;
    const auto scan_by = [&](DotKernel kernel) {
        return [&, kernel] {
            reranked += find_nearest(snapshot, scan_of({queries[round]}, kBest), kernel).reranked;
        };
    };
    const auto read_by = [&](std::size_t prefetch_bytes) {
        return [&, prefetch_bytes] {
            bytes_read = 0;
            for (const IndexSnapshot::Part& part : snapshot.parts) {
                const ChunkCodes& codes = part.chunk->codes(part.count);
                const std::size_t size = part.count * codes.stride();
                sink += read_all(codes.codes(0), size, prefetch_bytes);
                bytes_read += size;
            }
        };
    };
    std::vector<Series> all;
    all.push_back({"search", scan_by(widest_kernel())});
    all.push_back({"search, of one type in ten",
                   [&] { find_nearest(one_type, scan_of({queries[round]}, kBest)); }});
    all.push_back({"search, four queries in one call", [&] {
                       find_nearest(snapshot, scan_of({queries[round], queries[round + 1],
                                                       queries[round + 2], queries[round + 3]},
                                                      kBest));
                   }});
    all.push_back({"reading the codes", read_by(0)});
    all.push_back({"reading the codes, prefetched", read_by(4096)});
    const std::size_t loops_at = all.size();
    for (const auto& [order, name] :
         {std::pair(SumOrder::Sequential, "fp32 loop, -O3 -march=native"),
          std::pair(SumOrder::OneRegister, "fp32 loop, eight sums as built for AVX2"),
          std::pair(SumOrder::Any, "fp32 loop, -ffast-math too")}) {
        all.push_back({name, [&, order = order] {
                           sink += plain_nearest(order, data.matrix, queries[round], kBest).size();
                       }});
    }
    std::size_t kernels = 0;
    for (const auto& [kernel, name] : {std::pair(DotKernel::Plain, "search, baseline code"),
                                       std::pair(DotKernel::Avx2, "search, AVX2 code"),
                                       std::pair(DotKernel::Avx512, "search, AVX-512 code")}) {
        if (is_supported(kernel)) {
            all.push_back({name, scan_by(kernel)});
            ++kernels;
        }
    }
#ifdef MESHD_BENCH_FAISS
    omp_set_num_threads(1);
    faiss::IndexFlatIP faiss_index(static_cast<std::int64_t>(options.dimension));
    faiss_index.add(static_cast<std::int64_t>(options.rows), data.matrix.data());
    const std::size_t faiss_at = all.size();
    all.push_back({"FAISS IndexFlatIP, as its package is built", [&] {
                       std::vector<float> scores(kBest);
                       std::vector<std::int64_t> labels(kBest);
                       faiss_index.search(1, queries[round].data(), kBest, scores.data(),
                                          labels.data());
                   }});
#endif
    for (; round < options.rounds; ++round) {
        for (Series& series : all) {
            series.us.push_back(us_of(series.what));
        }
    }
    for (const Series& series : all) {
        lines.push_back({series.name, series.median() / 1000, "ms"});
        lines.push_back({series.name + ", best", series.best() / 1000, "ms"});
    }
    const double reading = std::min(all[3].median(), all[4].median());
    const double search = all[0].median();
    const auto scans = static_cast<double>(options.rounds * (1 + kernels));
    lines.push_back(
        {"single-core read bandwidth", static_cast<double>(bytes_read) / reading / 1000, "GB/s"});
    for (std::size_t i = loops_at; i < loops_at + 3; ++i) {
        lines.push_back({"search / " + all[i].name, search / all[i].median(), "", "at most 0.25"});
    }
#ifdef MESHD_BENCH_FAISS
    lines.push_back({"search / FAISS as packaged", search / all[faiss_at].median(), ""});
#endif
    lines.push_back(
        {"bandwidth of search / read bandwidth", reading / search, "", "at least 0.75"});
    lines.push_back({"one type in ten / all", all[1].median() / search, "", "at most 0.25"});
    lines.push_back({"each of four / one", all[2].median() / 4 / search, "", "at most 0.65"});
    lines.push_back({"rows compared by their values", static_cast<double>(reranked) / scans, ""});

    lines.push_back({"first search, which encodes all", first / 1000, "ms"});
    lines.push_back({"insert, never searched", cold / row_count, "us"});
    const auto [erasing, inserting] = change_times(data);
    snapshot = {};
    lines.push_back({"insert", inserting, "us", "at most 10"});
    lines.push_back({"delete", erasing, "us", "at most 5"});
    lines.push_back({"index, bytes a row, never searched", (after_cold - before) / row_count, "B"});
    lines.push_back({"index, bytes a row, searched", (after_first - before) / row_count, "B"});

    std::size_t wrong = 0;
    const std::size_t share = (options.verify + 2) / 3;
    for (const Shape shape : {Shape::Uniform, Shape::Clustered, Shape::NonNegative}) {
        wrong += share == 0 ? 0 : mismatches(shape, options, share);
    }
    lines.push_back({"mismatches in " + std::to_string(3 * share) + " queries",
                     static_cast<double>(wrong), "", "0"});
    print(lines, options);
    // Keeps what was read from being left out.
    return wrong != 0 || sink == 1 ? 1 : 0;
}
