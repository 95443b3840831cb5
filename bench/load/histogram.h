#pragma once
// Latencies in microseconds, counted in buckets of about 1.6 % width. Recording is lock free.
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace countersign::bench {

class Histogram {
 public:
  void Record(std::int64_t micros) {
    const auto value = static_cast<std::uint64_t>(micros < 0 ? 0 : micros);
    counts_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t Count() const {
    std::uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
    return total;
  }

  // Upper bound of the bucket that holds the given share (0 to 1) of all values; 0 if empty.
  [[nodiscard]] double PercentileMs(double share) const {
    const double wanted = share * static_cast<double>(Count());
    double seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += static_cast<double>(counts_[bucket].load(std::memory_order_relaxed));
      if (seen > 0 && seen >= wanted) return static_cast<double>(UpperBound(bucket)) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::uint64_t kSub = 1U << kSubBits;

  static std::size_t BucketOf(std::uint64_t value) {
    if (value < kSub) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    const std::size_t bucket = (shift + 1) * kSub + ((value >> shift) - kSub);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static std::uint64_t UpperBound(std::size_t bucket) {
    if (bucket < kSub) return bucket;
    const std::size_t shift = bucket / kSub - 1;
    return ((bucket % kSub + kSub + 1) << shift) - 1;
  }

  static constexpr std::size_t kBuckets = 32 * kSub;
  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
};

}  // namespace countersign::bench
