#include "tools/print_reasons/reasons_markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "libs/core/reasons.h"

namespace countersign {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Reasons, AreDocumentedAsTheyAre) {
  EXPECT_EQ(Contents("docs/errors.md"), ReasonsMarkdown())
      << "write it anew: build/debug/bin/print_reasons > docs/errors.md";
}

TEST(Reasons, AreAllInTheList) {
  const std::string header = Contents("libs/core/reasons.h");
  constexpr std::string_view kDeclaration = "inline constexpr Reason k";
  std::size_t declared = 0;
  for (auto at = header.find(kDeclaration); at != std::string::npos;
       at = header.find(kDeclaration, at + 1)) {
    ++declared;
  }
  EXPECT_EQ(declared, reasons::kAll.size());
}

TEST(Reasons, AreDistinctUpperCaseWordsWithMeaningAndAdvice) {
  std::set<std::string_view> words;
  for (const Reason* reason : reasons::kAll) {
    EXPECT_TRUE(words.insert(reason->word).second) << reason->word;
    for (const char c : reason->word) EXPECT_TRUE(c == '_' || std::isupper(c)) << reason->word;
    EXPECT_FALSE(reason->meaning.empty());
    EXPECT_FALSE(reason->client_action.empty());
    EXPECT_EQ(reason->meaning.find('|'), std::string_view::npos) << "breaks the table";
    EXPECT_EQ(reason->client_action.find('|'), std::string_view::npos) << "breaks the table";
  }
}

}  // namespace
}  // namespace countersign
