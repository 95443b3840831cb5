#include "libs/pg/keyed_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>

namespace countersign::pg {
namespace {

using testing::ElementsAre;
using Queue = KeyedQueue<int>;

std::vector<int> Items(const std::vector<Queue::Entry>& entries) {
  std::vector<int> items;
  items.reserve(entries.size());
  for (const auto& entry : entries) items.push_back(entry.item);
  return items;
}

TEST(KeyedQueueTest, GivesItemsInTheOrderOfArrival) {
  Queue queue;
  queue.Push("b", 1);
  queue.Push("a", 2);
  queue.Push("c", 3);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_THAT(Items(queue.Take(2)), ElementsAre(1, 2));
  EXPECT_THAT(Items(queue.Take(2)), ElementsAre(3));
  EXPECT_FALSE(queue.HasReady());
  EXPECT_EQ(queue.size(), 0U);
}

TEST(KeyedQueueTest, HoldsTheItemsOfAKeyBackWhileOneIsOut) {
  Queue queue;
  queue.Push("a", 1);
  queue.Push("a", 2);
  queue.Push("a", 3);
  const auto first = queue.Take(10);
  EXPECT_THAT(Items(first), ElementsAre(1));
  EXPECT_FALSE(queue.HasReady());
  EXPECT_EQ(queue.size(), 2U);
  queue.Release(first[0].key);
  const auto second = queue.Take(10);
  EXPECT_THAT(Items(second), ElementsAre(2));
  queue.Release(second[0].key);
  EXPECT_THAT(Items(queue.Take(10)), ElementsAre(3));
}

TEST(KeyedQueueTest, AKeyThatIsReleasedWithoutFollowersIsForgotten) {
  Queue queue;
  queue.Push("a", 1);
  const auto entries = queue.Take(1);
  queue.Release(entries[0].key);
  queue.Push("a", 2);
  EXPECT_THAT(Items(queue.Take(1)), ElementsAre(2));
}

TEST(KeyedQueueTest, AnItemPutBackComesBeforeAllOthersAndKeepsItsKey) {
  Queue queue;
  queue.Push("a", 1);
  queue.Push("a", 2);
  queue.Push("b", 3);
  auto entries = queue.Take(1);
  queue.PutBack(entries[0]);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_THAT(Items(queue.Take(10)), ElementsAre(1, 3));
  EXPECT_FALSE(queue.HasReady());
}

TEST(KeyedQueueTest, ItemsWithoutAKeyMayAllBeOutTogether) {
  Queue queue;
  for (int i = 0; i < 3; ++i) queue.PushFree(i);
  auto entries = queue.Take(10);
  EXPECT_THAT(Items(entries), ElementsAre(0, 1, 2));
  EXPECT_EQ(entries[0].key, nullptr);
  queue.Release(entries[0].key);
  queue.PutBack(entries[1]);
  EXPECT_THAT(Items(queue.Take(10)), ElementsAre(1));
}

// A queue of one key, as a flood of guesses at one challenge makes it, must not cost more the
// longer it is.
TEST(KeyedQueueTest, TakesTheItemsOfOneKeyInTimeThatGrowsWithTheirNumberOnly) {
  constexpr int kItems = 200'000;
  Queue queue;
  for (int i = 0; i < kItems; ++i) queue.Push("a", i);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kItems; ++i) {
    const auto entries = queue.Take(64);
    ASSERT_THAT(Items(entries), ElementsAre(i));
    queue.Release(entries[0].key);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

// Against a model, in many orders: no item is lost or doubled, of each key one is out, each key in
// order.
TEST(KeyedQueueTest, KeepsItsPromisesInRandomOrdersOfUse) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    Queue queue;
    std::map<std::string, int> last;
    std::vector<Queue::Entry> out;
    std::size_t pushed = 0;
    std::size_t done = 0;
    const auto pick = [&] {
      std::swap(out[random() % out.size()], out.back());
      const auto entry = out.back();
      out.pop_back();
      return entry;
    };
    while (done < 500) {
      switch (random() % 4) {
        case 0:
        case 1:
          queue.Push("k" + std::to_string(random() % 9), static_cast<int>(pushed++));
          break;
        case 2:
          for (const auto& entry : queue.Take(random() % 5)) out.push_back(entry);
          break;
        default:
          if (out.empty()) break;
          if (random() % 3 == 0) {
            queue.PutBack(pick());
          } else {
            const auto entry = pick();
            int& before = last.try_emplace(entry.key->first, -1).first->second;
            ASSERT_GT(entry.item, before) << "seed " << seed;
            before = entry.item;
            queue.Release(entry.key);
            ++done;
          }
      }
      std::map<std::string, int> keys_out;
      for (const auto& entry : out) ASSERT_EQ(++keys_out[entry.key->first], 1) << "seed " << seed;
      ASSERT_EQ(queue.size() + out.size() + done, pushed) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace countersign::pg
