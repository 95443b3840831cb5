// A replication connection whose server has gone away in the middle of the stream.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "libs/pg/replication.h"
#include "tests/support/database.h"

namespace countersign::pg {
namespace {

using ReplicationTest = support::PgTest;

// libpq closes the socket as it finds the end: whoever waits on the number must be able to stop
// waiting, or the next connection, which may get the same number, is never heard.
TEST_F(ReplicationTest, StillTellsItsSocketOnceTheServerHasHungUp) {
  ReplicationConnection connection(Settings());
  const int socket = connection.socket();
  ASSERT_GE(socket, 0);
  ASSERT_EQ(shutdown(socket, SHUT_RDWR), 0);
  EXPECT_THROW((void)connection.Identify(), ReplicationFault);
  EXPECT_EQ(connection.socket(), socket);
}

}  // namespace
}  // namespace countersign::pg
