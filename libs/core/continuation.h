#pragma once
// What runs on a thread of a batcher, a client or a provider after its caller has returned.
#include <exception>
#include <functional>
#include <utility>

#include "libs/core/result.h"

namespace countersign {

template <typename T>
using Answer = std::function<void(Result<T>)>;

// Runs `step`. No exception may leave the thread, so a fault in it (a key ring without a key,
// OpenSSL broken) is answered as INTERNAL; its text is for the log.
template <typename T, typename Step>
void RunStep(const Answer<T>& answer, Step&& step) {
  try {
    std::forward<Step>(step)();
  } catch (const std::exception& fault) {
    answer(Fail(reasons::kInternal, {.detail = fault.what()}));
  }
}

}  // namespace countersign
