#include "libs/keystore/key_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "libs/core/random.h"
#include "tests/support/keys/keys.h"

namespace countersign::keystore {
namespace {

namespace fs = std::filesystem;

class KeyDirectoryTest : public testing::Test {
 protected:
  fs::path Make(const std::string& name, fs::perms mode = fs::perms::owner_read) {
    const fs::path path = folder_.path() / name;
    std::ofstream(path) << "0123456789abcdef0123456789abcdef";
    fs::permissions(path, mode);
    return path;
  }

  test::TemporaryFolder folder_;
};

TEST_F(KeyDirectoryTest, ListsKeyFilesInOrderOfId) {
  Make("20261125.key");
  Make("20261124.key");
  Make("readme.txt");
  const auto files = ListKeyFiles(folder_.path());
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].id, "20261124");
  EXPECT_EQ(files[1].id, "20261125");
}

TEST_F(KeyDirectoryTest, SEC1_RefusesAFileThatOthersCanAccess) {
  for (const fs::perms extra : {fs::perms::group_read, fs::perms::group_write,
                                fs::perms::others_read, fs::perms::others_exec}) {
    const fs::path path = Make("a.key", fs::perms::owner_read | extra);
    EXPECT_THROW(std::ignore = ReadKeyFile(path), KeyFault);
    fs::remove(path);
  }
  EXPECT_NO_THROW(std::ignore = ReadKeyFile(Make("b.key")));
}

TEST_F(KeyDirectoryTest, SEC1_RefusesAFileOfAnotherUser) {
  const fs::path path = Make("a.key");
  if (::chown(path.c_str(), 12345, 12345) != 0) GTEST_SKIP() << "only root may give files away";
  EXPECT_THROW(std::ignore = ReadKeyFile(path), KeyFault);
}

TEST_F(KeyDirectoryTest, SEC1_RefusesAFolderThatOthersMayWriteTo) {
  Make("a.key");
  fs::permissions(folder_.path(), fs::perms::owner_all | fs::perms::others_write);
  EXPECT_THROW(std::ignore = ListKeyFiles(folder_.path()), KeyFault);
  fs::permissions(folder_.path(), fs::perms::owner_all);
}

TEST_F(KeyDirectoryTest, RefusesLinksPipesFoldersAndSizesOfNoKey) {
  fs::create_symlink(Make("target"), folder_.path() / "link.key");
  EXPECT_THROW(std::ignore = ReadKeyFile(folder_.path() / "link.key"), KeyFault);
  ASSERT_EQ(::mkfifo((folder_.path() / "pipe.key").c_str(), 0600), 0);
  EXPECT_THROW(std::ignore = ReadKeyFile(folder_.path() / "pipe.key"), KeyFault);
  fs::create_directory(folder_.path() / "folder.key");
  EXPECT_THROW(std::ignore = ReadKeyFile(folder_.path() / "folder.key"), KeyFault);

  ASSERT_TRUE(CreateKeyFile(folder_.path() / "empty.key", {}));
  EXPECT_THROW(std::ignore = ReadKeyFile(folder_.path() / "empty.key"), KeyFault);
  ASSERT_TRUE(CreateKeyFile(folder_.path() / "long.key", Bytes(kMaxKeyFileBytes + 1, 'x')));
  EXPECT_THROW(std::ignore = ReadKeyFile(folder_.path() / "long.key"), KeyFault);
}

TEST_F(KeyDirectoryTest, RefusesTwoFilesOfOneIdAndNamesThatAreNoId) {
  Make("a.key");
  Make("a.pem");
  EXPECT_THROW(std::ignore = ListKeyFiles(folder_.path()), KeyFault);
  fs::remove(folder_.path() / "a.pem");
  Make("no id.key");
  EXPECT_THROW(std::ignore = ListKeyFiles(folder_.path()), KeyFault);
}

TEST_F(KeyDirectoryTest, NeverReplacesAKey) {
  const fs::path path = folder_.path() / "a.key";
  EXPECT_TRUE(CreateKeyFile(path, AsBytes("first")));
  EXPECT_FALSE(CreateKeyFile(path, AsBytes("second")));
  EXPECT_EQ(AsText(ReadKeyFile(path).Reveal()), "first");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(KeyDirectoryTest, SaysWhichFileButNeverWhatIsInIt) {
  const fs::path path = Make("a.key", fs::perms::owner_read | fs::perms::others_read);
  try {
    std::ignore = ReadKeyFile(path);
    FAIL();
  } catch (const KeyFault& fault) {
    EXPECT_NE(std::string(fault.what()).find(path.string()), std::string::npos);
    EXPECT_EQ(std::string(fault.what()).find("0123456789abcdef"), std::string::npos);
  }
}

}  // namespace
}  // namespace countersign::keystore
