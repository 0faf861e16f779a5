// SPDX-License-Identifier: Apache-2.0
/// \file
/// Vectors of every sort, and rows made of them: the last bytes of a "record" are its fp16 values,
/// the first 16 its key.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/base/prng.h"
#include "proto/search/nearest.h"
#include "proto/search/similarity.h"
#include "proto/store/embedding.h"

namespace meshd::test {

inline Prng prng_of(std::uint8_t seed) {
    Entropy entropy{};
    entropy[0] = seed;
    return Prng(entropy);
}

enum class Shape { Uniform, Gaussian, Clustered, NonNegative, Sparse, Coarse };
inline constexpr Shape kShapes[] = {Shape::Uniform,     Shape::Gaussian, Shape::Clustered,
                                    Shape::NonNegative, Shape::Sparse,   Shape::Coarse};

/// Makes vectors of one shape and dimension.
class Vectors {
  public:
    static constexpr std::size_t kCentres = 5;

    Vectors(std::uint8_t seed, Shape shape, std::size_t dimension)
        : prng_(prng_of(seed)), shape_(shape), dimension_(dimension) {
        for (std::size_t i = 0; i < kCentres; ++i) {
            centres_.push_back(plain(Shape::Gaussian));
        }
    }

    std::vector<float> next() {
        if (shape_ != Shape::Clustered) {
            return plain(shape_);
        }
        const std::vector<float>& centre = centres_[prng_.below(kCentres)];
        std::vector<float> values = plain(Shape::Gaussian);
        for (std::size_t i = 0; i < dimension_; ++i) {
            values[i] = centre[i] + 0.2F * values[i];
        }
        return values;
    }

    Prng& prng() { return prng_; }

  private:
    float gaussian() {
        double sum = -6;
        for (int i = 0; i < 12; ++i) {
            sum += prng_.unit();
        }
        return static_cast<float>(sum);
    }

    std::vector<float> plain(Shape shape) {
        std::vector<float> values(dimension_);
        do {
            for (float& value : values) {
                value = one(shape);
            }
        } while (normalised(values).empty());
        return values;
    }

    float one(Shape shape) {
        switch (shape) {
            case Shape::Uniform:
                return static_cast<float>(prng_.unit() * 2 - 1);
            case Shape::Gaussian:
            case Shape::Clustered:
                return gaussian();
            case Shape::NonNegative:
                return std::max(0.0F, gaussian());
            case Shape::Sparse:
                return prng_.below(20) == 0 ? gaussian() : 0.0F;
            case Shape::Coarse:
                return static_cast<float>(prng_.below(3)) - 1;
        }
        return 0;
    }

    Prng prng_;
    Shape shape_;
    std::size_t dimension_;
    std::vector<std::vector<float>> centres_;
};

inline Buffer embedding_of(const std::vector<float>& values) {
    return *make_embedding(std::vector<double>(values.begin(), values.end()));
}
/// fp16 of the values as they are.
inline Buffer halves_of(const std::vector<float>& values) {
    Buffer bytes;
    for (const float value : values) {
        const std::uint16_t half = to_half(static_cast<double>(value));
        bytes.push_back(static_cast<std::uint8_t>(half));
        bytes.push_back(static_cast<std::uint8_t>(half >> 8));
    }
    return bytes;
}

inline constexpr std::size_t kKeyBytes = 16;

inline VectorRow row_of(std::uint64_t number, Bytes halves, std::uint64_t node = 1,
                        TimePoint born = {}) {
    std::uint64_t rest = number;
    Buffer bytes(kKeyBytes + halves.size());
    for (std::size_t i = kKeyBytes; i-- != 0; rest /= 10) {
        bytes[i] = static_cast<std::uint8_t>('0' + rest % 10);
    }
    std::copy(halves.begin(), halves.end(), bytes.begin() + kKeyBytes);
    return {SharedBytes(bytes), born, node};
}
inline RowKey test_key(const SharedBytes& record) {
    return {std::string(record.data(), record.data() + kKeyBytes), {}};
}
inline std::uint64_t number_of(const VectorRow& row) {
    return std::stoull(test_key(row.record).hash);
}

inline NearestScan scan_of(const std::vector<std::vector<float>>& queries, std::size_t k) {
    NearestScan scan;
    for (const std::vector<float>& query : queries) {
        scan.queries.push_back(normalised(query));
    }
    scan.k = k;
    scan.key_of = test_key;
    return scan;
}

}  // namespace meshd::test
