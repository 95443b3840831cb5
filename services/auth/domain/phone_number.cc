#include "services/auth/domain/phone_number.h"

#include <phonenumbers/phonenumberutil.h>

namespace countersign::auth {
namespace {

namespace pn = i18n::phonenumbers;

constexpr std::size_t kMaxCharacters = 32;
constexpr std::string_view kAllowed = "0123456789+ -./()";
constexpr char kNoDefaultRegion[] = "ZZ";

tl::unexpected<Error> Refuse() {
  return Fail(reasons::kPhoneNumberInvalid, {.field = "phone_number"});
}

std::string RegionOf(const pn::PhoneNumberUtil& util, const pn::PhoneNumber& number) {
  std::string region;
  util.GetRegionCodeForNumber(number, &region);
  if (region.size() != 2 || region == kNoDefaultRegion)
    util.GetRegionCodeForCountryCode(number.country_code(), &region);
  return region.size() == 2 && region != kNoDefaultRegion ? region : std::string();
}

}  // namespace

Result<PhoneNumber> ParsePhoneNumber(std::string_view text) {
  if (text.empty() || text.size() > kMaxCharacters) return Refuse();
  if (text.find_first_not_of(kAllowed) != std::string_view::npos) return Refuse();
  const std::size_t plus = text.find('+');
  if (plus == std::string_view::npos || text.find_first_of("0123456789") < plus ||
      text.find('+', plus + 1) != std::string_view::npos)
    return Refuse();

  const pn::PhoneNumberUtil& util = *pn::PhoneNumberUtil::GetInstance();
  pn::PhoneNumber number;
  if (util.Parse(std::string(text), kNoDefaultRegion, &number) !=
          pn::PhoneNumberUtil::NO_PARSING_ERROR ||
      !util.IsPossibleNumber(number))
    return Refuse();
  PhoneNumber parsed;
  util.Format(number, pn::PhoneNumberUtil::E164, &parsed.e164);
  parsed.region = RegionOf(util, number);
  return parsed;
}

}  // namespace countersign::auth
