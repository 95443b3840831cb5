// countersign-produce: a bare idempotent producer with the relay's settings, record size and
// headers, and nothing behind it: the most that Kafka takes here. Prints one JSON object.
#include <fmt/format.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#include <iostream>
#include <string>

#include "libs/kafka/producer.h"

namespace countersign::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: countersign-produce BROKERS TOPIC COUNT [VALUE_BYTES]\n";

kafka::Headers MakeHeaders(const std::string& id) {
  kafka::Headers headers(11);
  headers.Add("ce_specversion", "1.0");
  headers.Add("ce_id", id);
  headers.Add("ce_source", "/countersign/auth");
  headers.Add("ce_type", "bench.tick");
  headers.Add("ce_subject", "bench-1");
  headers.Add("ce_time", "2026-01-01T00:00:00.000000Z");
  headers.Add("content-type", "application/json");
  headers.Add("ce_sequence", "1");
  headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  headers.Add("outbox_id", "123456789");
  headers.Add("commit_lsn", "0/12345678");
  return headers;
}

int Run(const std::string& brokers, const std::string& topic, long count, std::size_t bytes) {
  kafka::ProducerSettings settings;
  settings.client.brokers = brokers;
  settings.client.client_id = "countersign-produce";
  kafka::Producer producer(settings);
  if (!producer.Reach(std::chrono::seconds(10))) {
    std::cerr << "no broker answers at " << brokers << '\n';
    return 1;
  }
  const std::string value(bytes, 'x');
  long failed = 0;
  const auto count_failures = [&failed](const kafka::Delivery& delivery) {
    if (!delivery.ok()) ++failed;
  };
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < count; ++i) {
    const std::string key = fmt::format("bench-{}", i % 64);
    const std::string id = fmt::format("0190{:08x}-0000-7000-8000-000000000000", i);
    while (true) {
      kafka::Headers headers = MakeHeaders(id);
      const auto produced =
          producer.Produce({topic, key, value, static_cast<std::uint64_t>(i)}, headers);
      if (produced == kafka::Produced::kQueued) break;
      if (produced != kafka::Produced::kQueueFull) {
        std::cerr << "topic " << topic << " refuses records\n";
        return 1;
      }
      pollfd ready{producer.event_fd(), POLLIN, 0};
      poll(&ready, 1, 100);
      producer.Drain(count_failures);
    }
    if (i % 1024 == 0) producer.Drain(count_failures);
  }
  const bool flushed = producer.Flush(std::chrono::seconds(60), count_failures);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{{\"records\": {}, \"failed\": {}, \"seconds\": {:.3f}, \"per_second\": {:.0f}}}\n",
             count, failed, took.count(), static_cast<double>(count) / took.count());
  return flushed && failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace countersign::bench

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << countersign::bench::kUsage;
    return 2;
  }
  return countersign::bench::Run(argv[1], argv[2], std::stol(argv[3]),
                                 argc > 4 ? std::stoul(argv[4]) : 200);
}
