#include "libs/metrics/registry.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <utility>

#include "libs/metrics/process_metrics.h"

namespace countersign::metrics {

void Counter::Increment(double by) const { counter_->Increment(by); }
double Counter::Value() const { return counter_->Value(); }
void Gauge::Set(double value) const { gauge_->Set(value); }
void Gauge::Add(double by) const { gauge_->Increment(by); }
double Gauge::Value() const { return gauge_->Value(); }
void Histogram::Observe(double value) const { histogram_->Observe(value); }
void Histogram::ObserveCounted(const std::vector<double>& counts, double sum) const {
  histogram_->ObserveMultiple(counts, sum);
}

const std::vector<double>& SecondsBuckets() {
  static const std::vector<double> buckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                              0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                              1.0,    2.5,     5.0,    10.0};
  return buckets;
}

// Gauges that are computed when asked for.
class Registry::Functions {
 public:
  void Add(const std::string& name, const std::string& help, const Labels& labels,
           std::function<double()> read) {
    const std::scoped_lock lock(mutex_);
    Family& family = families_[name];
    family.help = help;
    family.reads.emplace_back(labels, std::move(read));
  }

  void CollectInto(std::vector<prometheus::MetricFamily>& out) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, family] : families_) {
      prometheus::MetricFamily collected{name, family.help, prometheus::MetricType::Gauge, {}};
      for (const auto& [labels, read] : family.reads) {
        prometheus::ClientMetric metric;
        for (const auto& [label, value] : labels) metric.label.push_back({label, value});
        metric.gauge.value = read();
        collected.metric.push_back(std::move(metric));
      }
      out.push_back(std::move(collected));
    }
  }

 private:
  struct Family {
    std::string help;
    std::vector<std::pair<Labels, std::function<double()>>> reads;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

Registry::Registry()
    : registry_(
          std::make_unique<prometheus::Registry>(prometheus::Registry::InsertBehavior::Merge)),
      functions_(std::make_unique<Functions>()) {
  AddProcessMetrics(*this);
}

Registry::~Registry() = default;

Counter Registry::AddCounter(const std::string& name, const std::string& help,
                             const Labels& labels) {
  return Counter(prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels));
}

Gauge Registry::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels));
}

Histogram Registry::AddHistogram(const std::string& name, const std::string& help,
                                 const Labels& labels, const std::vector<double>& buckets) {
  return Histogram(prometheus::BuildHistogram()
                       .Name(name)
                       .Help(help)
                       .Register(*registry_)
                       .Add(labels, prometheus::Histogram::BucketBoundaries(buckets)));
}

void Registry::AddGaugeFunction(const std::string& name, const std::string& help,
                                const Labels& labels, std::function<double()> read) {
  functions_->Add(name, help, labels, std::move(read));
}

std::string Registry::Text() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  functions_->CollectInto(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace countersign::metrics
