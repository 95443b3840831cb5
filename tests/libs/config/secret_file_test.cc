#include "libs/config/secret_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/libs/config/scratch.h"

namespace countersign::config {
namespace {

TEST(SecretFile, SEC1_AcceptsAFileOnlyWeMayRead) {
  const Scratch scratch;
  EXPECT_FALSE(SecretFileFault(scratch.Write("a", "x", 0600)));
  EXPECT_FALSE(SecretFileFault(scratch.Write("b", "x", 0400)));
}

TEST(SecretFile, SEC1_RefusesAFileThatOthersMayReadOrWrite) {
  const Scratch scratch;
  for (const int mode : {0604, 0602, 0644, 0666, 0620, 0777}) {
    EXPECT_TRUE(SecretFileFault(scratch.Write("a", "x", mode))) << mode;
  }
}

TEST(SecretFile, SEC1_LetsTheGroupReadOnlyWhatBelongsToRoot) {
  const Scratch scratch;
  const auto fault = SecretFileFault(scratch.Write("a", "x", 0640));
  EXPECT_EQ(fault.has_value(), geteuid() != 0);
}

TEST(SecretFile, SEC1_RefusesAStrangersFile) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const Scratch scratch;
  const std::string path = scratch.Write("a", "x", 0600);
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(SecretFileFault(path));
}

TEST(SecretFile, RefusesWhatIsNoFile) {
  const Scratch scratch;
  EXPECT_TRUE(SecretFileFault(scratch.folder().string()));
  EXPECT_TRUE(SecretFileFault((scratch.folder() / "none").string()));
}

}  // namespace
}  // namespace countersign::config
