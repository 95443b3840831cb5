#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/keystore/provision.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

constexpr Option kDirectory{"dir", "FOLDER", "root of the key rings", "", "KEYS_DIR"};

int Init(const Arguments& arguments, const Streams& streams) {
  const SystemClock clock;
  SystemRandom random;
  const auto made = keystore::GenerateAll(arguments.Required("dir"), clock, random);
  for (const auto& file : made) fmt::print(streams.out, "made {}\n", file.string());
  if (made.empty()) fmt::print(streams.out, "every ring has a key\n");
  return kOk;
}

int Ensure(const Arguments& arguments, const Streams& streams) {
  const SystemClock clock;
  SystemRandom random;
  const std::filesystem::path root = arguments.Required("dir");
  const auto change = keystore::EnsureDaily(
      root / keystore::kRecipientRing, static_cast<int>(arguments.Number("days-ahead", 1, 60)),
      static_cast<int>(arguments.Number("keep-days", 2, 3660)), clock, random);
  for (const auto& id : change.created) fmt::print(streams.out, "made recipient key {}\n", id);
  for (const auto& id : change.destroyed) {
    fmt::print(streams.out, "destroyed recipient key {}\n", id);
  }
  if (change.created.empty() && change.destroyed.empty()) {
    fmt::print(streams.out, "nothing to do\n");
  }
  return kOk;
}

int Rotate(const Arguments& arguments, const Streams& streams) {
  const std::string& ring = arguments.positionals()[0];
  if (std::ranges::find(keystore::kAllRings, ring) == keystore::kAllRings.end()) {
    throw UsageFault(
        fmt::format("no such ring; there are {}", fmt::join(keystore::kAllRings, ", ")));
  }
  if (ring == keystore::kRecipientRing)
    throw UsageFault("keys of recipient come by the day: keys ensure");
  if (ring == keystore::kPhoneRing) {
    throw UsageFault(
        "a new phone key would make every known number a stranger: it cannot be rotated");
  }
  const SystemClock clock;
  SystemRandom random;
  const auto file = keystore::AddKey(arguments.Required("dir"), ring, clock, random);
  fmt::print(streams.out, "made {}\n", file.string());
  return kOk;
}

}  // namespace

std::vector<Command> KeysCommands() {
  return {
      {.words = "keys init",
       .positionals = "",
       .summary = "Make every key ring that has no key yet",
       .details = "Existing keys are left as they are. Folders get mode 0700, files 0600.",
       .options = {kDirectory},
       .run = Init},
      {.words = "keys ensure",
       .positionals = "",
       .summary = "Make the recipient keys of the coming days, destroy those past their time",
       .details = "For a timer that runs once a day. A destroyed key makes every copy of the "
                  "SendOtp events of its day\nunreadable for ever.",
       .options = {kDirectory, Option{"days-ahead", "N", "days to make ahead", "7"},
                   Option{"keep-days", "N",
                          "days to keep; more than the retention of "
                          "`verification`",
                          "3"}},
       .run = Ensure},
      {.words = "keys rotate",
       .positionals = "RING",
       .summary = "Add a key to a ring; it is used from now on, the old ones go on verifying",
       .details = "",
       .options = {kDirectory},
       .least_positionals = 1,
       .most_positionals = 1,
       .run = Rotate},
  };
}

}  // namespace countersign::ctl
