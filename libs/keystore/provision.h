#pragma once
// Making and destroying key files: what `countersignctl keys` does.
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/random.h"

namespace countersign::keystore {

// The rings of an installation and who reads them.
inline constexpr std::string_view kRecipientRing = "recipient";  // auth, otp: one key a day
inline constexpr std::string_view kPersonRing = "person";        // auth: wraps people's keys
inline constexpr std::string_view kPhoneRing = "phone";          // auth: HMAC of phone numbers
inline constexpr std::string_view kCodeRing = "code";            // otp: HMAC of codes
inline constexpr std::string_view kClaimRing = "claim";          // auth: claim ids towards otp
inline constexpr std::string_view kRefreshRing = "refresh";      // auth: refresh tokens
inline constexpr std::string_view kSigningRing = "signing";      // auth: access tokens (P-256 PEM)
inline constexpr std::array kAllRings = {kRecipientRing, kPersonRing,  kPhoneRing,  kCodeRing,
                                         kClaimRing,     kRefreshRing, kSigningRing};

// Days of recipient keys: made ahead so that every replica has them before the day begins; kept as
// long as a SendOtp event may be in its topic, and a day on.
inline constexpr int kRecipientDaysAhead = 7;
inline constexpr int kRecipientDaysKept = 3;

struct DailyChange {
  std::vector<std::string> created;    // key ids
  std::vector<std::string> destroyed;  // key ids
};

// Makes the keys from today (UTC) to `days_ahead` days on that are missing and destroys
// (overwrites, then removes) those older than `keep_days` days. Safe to repeat, by several callers
// at once. Throws KeyFault.
DailyChange EnsureDaily(const std::filesystem::path& ring, int days_ahead, int keep_days,
                        const Clock& clock, Random& random);

// Makes every ring of `root` that has no key yet: folder mode 0700, file mode 0600, key id = today
// (UTC), the recipient ring by EnsureDaily. Existing keys are left as they are. Returns the files
// it made. Throws KeyFault.
std::vector<std::filesystem::path> GenerateAll(const std::filesystem::path& root,
                                               const Clock& clock, Random& random);

// Adds a key to a ring that becomes current at once (rotation): id = now as YYYYMMDDTHHMMSS.
std::filesystem::path AddKey(const std::filesystem::path& root, std::string_view ring,
                             const Clock& clock, Random& random);

}  // namespace countersign::keystore
