#pragma once
// The otp service as far as auth can see it: judges codes as the test says and remembers what it
// was asked.
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "services/auth/flows/code_verifier.h"

namespace countersign::auth {

inline constexpr std::string_view kRightCode = "314159";
inline constexpr std::string_view kWrongCode = "271828";

// Thread safe. Knows one right code for every challenge, and, as otp does, nothing of whether auth
// used it: single use is auth's own promise.
class ScriptedVerifier final : public CodeVerifier {
 public:
  using Script = std::function<void(const CodeGuess&, Answer<Verdict>)>;

  void Verify(const rpc::CallContext& /*call*/, const CodeGuess& guess,
              Answer<Verdict> answer) override {
    Script script;
    {
      const std::lock_guard lock(mutex_);
      guesses_.push_back(guess);
      script = script_;
    }
    if (script) return script(guess, std::move(answer));
    answer(guess.code.Reveal() == kRightCode ? Verdict::kApproved : Verdict::kWrong);
  }

  // Takes the place of the right code and the wrong ones; an empty script gives it back.
  void Play(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  void BeginAnew() {
    const std::lock_guard lock(mutex_);
    script_ = {};
    guesses_.clear();
  }
  [[nodiscard]] std::vector<CodeGuess> Guesses() const {
    const std::lock_guard lock(mutex_);
    return guesses_;
  }

 private:
  mutable std::mutex mutex_;
  Script script_;                   // guarded by mutex_
  std::vector<CodeGuess> guesses_;  // guarded by mutex_
};

}  // namespace countersign::auth
