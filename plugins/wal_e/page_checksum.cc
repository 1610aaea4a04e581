#include "plugins/wal_e/page_checksum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace rad::wal_e {
namespace {

static_assert(std::endian::native == std::endian::little, "pages are read as little-endian words");

constexpr std::size_t kSums = 32;
constexpr std::size_t kRows = kPageSize / (kSums * sizeof(std::uint32_t));
constexpr std::uint32_t kPrime = 16777619;
constexpr std::size_t kChecksumAt = 8;
constexpr std::size_t kUpperAt = 14;
// The checksum is the low half of word 2 of the first row.
constexpr std::size_t kChecksumWord = kChecksumAt / sizeof(std::uint32_t);
constexpr std::uint32_t kChecksumMask = 0xFFFF0000U;

constexpr std::array<std::uint32_t, kSums> kBasis{
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Eight lanes at a time, so that it is vector code at every optimisation level.
using Lanes = std::uint32_t __attribute__((vector_size(32)));
constexpr std::size_t kWidth = sizeof(Lanes);

// By reference: the ABI of a vector that is returned depends on the instruction set.
[[gnu::always_inline]] inline void load(Lanes& lanes, const void* from) {
  std::memcpy(&lanes, from, sizeof lanes);
}

[[gnu::always_inline]] inline void mix(Lanes& sums, const Lanes& words) {
  const Lanes mixed = sums ^ words;
  sums = (mixed * kPrime) ^ (mixed >> 17);
}

[[gnu::always_inline]] inline void mix(Lanes& sums, const std::byte* from) {
  Lanes words;
  load(words, from);
  mix(sums, words);
}

/// The sums of one page, xor-ed. Four vectors in variables of their own: an array of them is kept
/// in memory by g++, and is three times slower. One body for all instruction sets: it must be
/// inlined into each to be compiled for it.
[[gnu::always_inline]] inline std::uint32_t fold_page(const std::byte* page) {
  constexpr std::size_t kRow = 4 * kWidth;
  static_assert(kRow == kSums * sizeof(std::uint32_t));
  Lanes sums0, sums1, sums2, sums3;
  load(sums0, kBasis.data());
  load(sums1, kBasis.data() + 8);
  load(sums2, kBasis.data() + 16);
  load(sums3, kBasis.data() + 24);
  Lanes first;
  load(first, page);
  first[kChecksumWord] &= kChecksumMask;
  for (std::size_t row = 0;;) {
    mix(sums0, first);
    mix(sums1, page + kWidth);
    mix(sums2, page + 2 * kWidth);
    mix(sums3, page + 3 * kWidth);
    if (++row == kRows) break;
    page += kRow;
    load(first, page);
  }
  for (int round = 0; round < 2; ++round) {
    constexpr Lanes kZeros{};
    mix(sums0, kZeros);
    mix(sums1, kZeros);
    mix(sums2, kZeros);
    mix(sums3, kZeros);
  }
  const Lanes all = sums0 ^ sums1 ^ sums2 ^ sums3;
  std::uint32_t result = 0;
  for (std::size_t lane = 0; lane < kWidth / sizeof(std::uint32_t); ++lane) result ^= all[lane];
  return result;
}

std::uint32_t fold_baseline(const std::byte* page) {
  return fold_page(page);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint32_t fold_avx2(const std::byte* page) {
  return fold_page(page);
}

// Not target_clones: its resolver runs before a sanitizer's start-up.
std::uint32_t fold(const std::byte* page) {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2 ? fold_avx2(page) : fold_baseline(page);
}
#else
std::uint32_t fold(const std::byte* page) {
  return fold_baseline(page);
}
#endif

std::uint16_t field(const std::byte* page, std::size_t at) {
  std::uint16_t value = 0;
  std::memcpy(&value, page + at, sizeof value);
  return value;
}

bool all_zero(const std::byte* page) {
  return page[0] == std::byte{0} && std::memcmp(page, page + 1, kPageSize - 1) == 0;
}

}  // namespace

std::uint16_t page_checksum(const std::byte* page, std::uint32_t number) noexcept {
  return static_cast<std::uint16_t>((fold(page) ^ number) % 65535U + 1U);
}

PageState check_page(const std::byte* page, std::uint32_t number) noexcept {
  const bool is_new = field(page, kUpperAt) == 0;
  if (is_new) return all_zero(page) ? PageState::empty : PageState::bad;
  const std::uint16_t stated = field(page, kChecksumAt);
  if (stated == 0) return PageState::unset;
  return stated == page_checksum(page, number) ? PageState::good : PageState::bad;
}

void PageScanner::feed(std::span<const std::byte> bytes) {
  if (!partial_.empty()) {
    const std::size_t missing = std::min<std::size_t>(kPageSize - partial_.size(), bytes.size());
    partial_.insert(partial_.end(), bytes.begin(), bytes.begin() + static_cast<long>(missing));
    bytes = bytes.subspan(missing);
    if (partial_.size() < kPageSize) return;
    judge(partial_.data());
    partial_.clear();
  }
  while (bytes.size() >= kPageSize) {
    judge(bytes.data());
    bytes = bytes.subspan(kPageSize);
  }
  partial_.assign(bytes.begin(), bytes.end());
}

void PageScanner::finish() {
  if (partial_.empty()) return;
  ++checked;
  if (bad_pages.size() < kMaxOdd) {
    bad_pages.push_back({next_page_, true});
  } else {
    cut = true;
  }
  partial_.clear();
}

void PageScanner::judge(const std::byte* page) {
  const std::uint64_t number = next_page_++;
  std::vector<Odd>* list = nullptr;
  switch (check_page(page, static_cast<std::uint32_t>(number))) {
    case PageState::empty:
      ++empty;
      return;
    case PageState::good:
      ++checked;
      return;
    case PageState::unset:
      ++unset;
      list = &unset_pages;
      break;
    case PageState::bad:
      ++checked;
      list = &bad_pages;
      break;
  }
  if (list->size() < kMaxOdd) {
    list->push_back({number, false});
  } else {
    cut = true;
  }
}

}  // namespace rad::wal_e
