#pragma once
// For a leak that is a third party's and cannot be named in lsan.supp, since the frame it happens
// in has no symbol.

// The leak sanitizer's own; absent from builds without it.
// NOLINTBEGIN(readability-identifier-naming): the names are given.
extern "C" [[gnu::weak]] void __lsan_disable();
extern "C" [[gnu::weak]] void __lsan_enable();
// NOLINTEND(readability-identifier-naming)

namespace countersign::support {

// Forgives what this thread allocates meanwhile. Around one call, with the reason beside it.
class ForgivenLeaks {
 public:
  ForgivenLeaks() {
    if (__lsan_disable != nullptr) __lsan_disable();
  }
  ~ForgivenLeaks() {
    if (__lsan_enable != nullptr) __lsan_enable();
  }
  ForgivenLeaks(const ForgivenLeaks&) = delete;
  ForgivenLeaks& operator=(const ForgivenLeaks&) = delete;
};

}  // namespace countersign::support
