// What is promised of the order of one key's commands and of their answers.
#include <gtest/gtest.h>

#include <utility>

#include "tests/libs/pg/counting.h"

namespace countersign::pg {
namespace {

class BatcherOrderTest : public CountingTest {};

TEST_F(BatcherOrderTest, CommandsOfOneKeyRunInTheOrderOfTheirArrival) {
  AddBatcher batcher(Settings(), {.connections = 4}, Watched());
  Answers answers;
  for (std::size_t i = 0; i < 50; ++i) batcher.Submit("k", Draw("k"), Soon(), answers.For(i));
  answers.Await(50);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(answers.Value(i), static_cast<int>(i) + 1);
}

// A thread may lose its turn between a batch's end and its answers.
TEST_F(BatcherOrderTest, WithAnswersInOrderNoAnswerOfAKeyOvertakesTheOneBefore) {
  AddBatcher batcher(Settings(), {.connections = 4, .answers_in_order = true}, Watched());
  Answers answers;
  batcher.Submit("k", Draw("k"), Soon(), [this, told = answers.For(0)](Result<int> answer) {
    gate_.Pass();
    told(std::move(answer));
  });
  gate_.AwaitArrival();
  batcher.Submit("k", Draw("k"), Soon(), answers.For(1));
  batcher.Submit("other", Draw("other"), Soon(), answers.For(2));
  answers.Await(1);
  EXPECT_EQ(answers.Word(2), "ok");
  EXPECT_EQ(RowsDone(), 2U) << "the next one of the key has not run";
  gate_.Open();
  answers.Await(3);
  EXPECT_EQ(answers.Value(1), 2);
}

}  // namespace
}  // namespace countersign::pg
