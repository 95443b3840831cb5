#pragma once
// Prometheus metrics. Counter, Gauge and Histogram are handles: cheap to copy, good as long as the
// Registry lives, thread safe. The same name and labels give the same metric. Label values come
// from closed lists of ours (rpc, code, reason, query name), never from a request.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace countersign::metrics {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void Increment(double by = 1) const;
  [[nodiscard]] double Value() const;

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void Set(double value) const;
  void Add(double by) const;  // negative to subtract
  [[nodiscard]] double Value() const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void Observe(double value) const;
  // Many values at once: how many belong into each bucket, those beyond the last included, and
  // their sum. See GatheredHistogram.
  void ObserveCounted(const std::vector<double>& counts, double sum) const;

 private:
  prometheus::Histogram* histogram_;
};

// 100 µs to 10 s: what a call, a query or a send may take.
[[nodiscard]] const std::vector<double>& SecondsBuckets();

class Registry {
 public:
  // Has process_start_time_seconds, process_resident_memory_bytes, process_open_fds,
  // process_cpu_seconds_total and countersign_build_info{version,commit} from the start.
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Throws std::invalid_argument for a name or label Prometheus does not allow.
  [[nodiscard]] Counter AddCounter(const std::string& name, const std::string& help,
                                   const Labels& labels = {});
  [[nodiscard]] Gauge AddGauge(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  [[nodiscard]] Histogram AddHistogram(const std::string& name, const std::string& help,
                                       const Labels& labels = {},
                                       const std::vector<double>& buckets = SecondsBuckets());
  // A gauge that is asked at every scrape, for example a queue's length. `read` runs on the scrape
  // thread and must not block; what it reads must live as long as the registry's endpoint.
  void AddGaugeFunction(const std::string& name, const std::string& help, const Labels& labels,
                        std::function<double()> read);

  // The text exposition format 0.0.4, as /metrics answers it.
  [[nodiscard]] std::string Text() const;

 private:
  class Functions;
  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Functions> functions_;
};

}  // namespace countersign::metrics
