// Mistakes that comparable services were seen to make with codes. Each test names one and shows
// that it is not ours.
#include <vector>

#include "libs/crypto/digest.h"
#include "tests/services/otp/flows/fixture.h"

namespace countersign::otp {
namespace {

using Words = std::map<std::string, int>;

class MistakeNotMade : public OtpTest {
 protected:
  // Whether what is kept of the code is what anybody computes who knows the number and guesses.
  [[nodiscard]] bool IsBareHashOf(const SendIntent& intent, std::string_view text) {
    return owner().One<bool>(
        "SELECT position(substr(sha224(convert_to($2, 'UTF8')), 1, 16) in code_hmac) > 0"
        " OR position(substr(sha256(convert_to($2, 'UTF8')), 1, 16) in code_hmac) > 0"
        " OR position(decode(md5($2), 'hex') in code_hmac) > 0"
        " FROM otp.challenges WHERE id = $1",
        intent.challenge_id, text);
  }
  [[nodiscard]] std::vector<std::string> GuessableTexts(const SendIntent& intent) {
    const std::string code = CodeOf(intent);
    const std::string phone = PhoneOf(intent);
    std::vector<std::string> texts = {code};
    for (const std::string& known :
         {phone, phone.substr(1), ToString(intent.challenge_id), ToString(intent.subject_id)}) {
      for (const std::string between : {"", ":", "/", "."}) {
        texts.push_back(known + between + code);
        texts.push_back(code + between + known);
      }
    }
    return texts;
  }
};

TEST_F(MistakeNotMade, TheRightCodeIsAcceptedAfterFiveHundredWrongOnes) {
  const SendIntent intent = Sent(Purpose::kLogin);
  Words words;
  for (int n = 0; n < 500; ++n) ++words[WordOf(otp().Verify(intent, WrongCode(intent, n)))];
  EXPECT_EQ(words, (Words{{"wrong", 5}, {"exhausted", 495}}));
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent))), "exhausted");
  EXPECT_EQ(AttemptsOf(intent), 5);
}

// Whoever asks for a new code after each few guesses gets no further than who does not.
TEST_F(MistakeNotMade, SixtyWrongCodesInARowMeetNoLockout) {
  const SendIntent first = Sent(Purpose::kLogin);
  SendIntent newest = first;
  Words words;
  for (int n = 0; n < 60; ++n) {
    if (n % 5 == 0) {
      newest = NewIntent(keys(), Purpose::kLogin);
      newest.subject_id = first.subject_id;
      newest.recipient = first.recipient;
      ASSERT_EQ(otp().Deliver(newest), DeliverCodeFlow::Taken::kFinished);
    }
    ++words[WordOf(otp().Verify(newest, WrongCode(newest, n)))];
  }
  EXPECT_EQ(words, (Words{{"wrong", 15}, {"exhausted", 45}}));
  EXPECT_EQ(WordOf(otp().Verify(newest, CodeOf(newest))), "exhausted") << "the right one, too";
}

TEST_F(MistakeNotMade, CodesLieInTheDatabaseUnderABareHashOfNumberAndCode) {
  const SendIntent intent = Sent();
  for (const std::string& text : GuessableTexts(intent)) EXPECT_FALSE(IsBareHashOf(intent, text));

  const std::string text = PhoneOf(intent) + CodeOf(intent);
  owner().Run("UPDATE otp.challenges SET code_hmac = $2 WHERE id = $1", intent.challenge_id,
              crypto::Sha256(AsBytes(text)));
  EXPECT_TRUE(IsBareHashOf(intent, text)) << "the search would not have found one";
}

}  // namespace
}  // namespace countersign::otp
