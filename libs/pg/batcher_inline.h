#pragma once
// The templates of batcher.h; include that.

namespace countersign::pg {

template <typename Command, typename Answer>
Batcher<Command, Answer>::Batcher(ConnectionSettings settings, BatcherOptions options, Work work)
    : settings_([&] {
        settings.finds_by_key = true;
        return std::move(settings);
      }()),
      options_(std::move(options)),
      work_(std::move(work)) {
  Invariant(work_.statement != nullptr, "a batcher has a statement");
  Invariant(options_.connections > 0 && options_.retry_connections > 0 && options_.max_batch > 0,
            "a batcher has connections and room for a command");
  static_cast<void>(FullConninfo(settings_));
  threads_.reserve(options_.connections + options_.retry_connections);
  for (std::size_t i = 0; i < options_.connections; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { Serve(stop); });
  }
  for (std::size_t i = 0; i < options_.retry_connections; ++i) {
    threads_.emplace_back([this] { ServeAlone(); });
  }
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::Submit(std::string key, Command command, Deadline deadline,
                                      Done done) {
  if (work_.check) {
    if (auto refusal = work_.check(command)) return done(Fail(std::move(*refusal)));
  }
  if (TimeLeft(deadline).count() <= 0) return done(Fail(reasons::kDeadlineExceeded));
  Pending pending{std::move(command), deadline, std::move(done)};
  std::unique_lock lock(mutex_);
  if (stopping_ || queue_.size() >= options_.max_queue) {
    const Reason& reason = stopping_ ? reasons::kDependencyUnavailable : reasons::kOverloaded;
    lock.unlock();
    return pending.done(Fail(reason));
  }
  if (options_.distinct_keys) {
    queue_.Push(std::move(key), std::move(pending));
  } else {
    queue_.PushFree(std::move(pending));
  }
  ++open_;
  // Waking a worker costs as much as queueing a dozen commands: only one that can go on is woken.
  auto& sleeper = gathering_ ? company_ : connected_ > 0 ? ready_ : down_;
  const bool wake = !gathering_ || WorthABatch();
  lock.unlock();
  if (wake) sleeper.notify_one();
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::Stop() {
  for (auto& thread : threads_) thread.request_stop();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::WakeAll() {
  ready_.notify_all();
  company_.notify_all();
  down_.notify_all();
  alone_ready_.notify_all();
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::SetConnected(bool& counted, bool up) {
  if (counted == up) return;
  const std::lock_guard lock(mutex_);
  counted = up;
  connected_ += up ? 1 : std::size_t(-1);
}

// One connection: take what is there, run it, answer.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::Serve(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    WakeAll();
  });
  Link link(settings_);
  bool counted = false;
  while (true) {
    // Also after an idle second: what is dead must not count as connected.
    static_cast<void>(link.Ensure());
    SetConnected(counted, link.up());
    std::unique_lock lock(mutex_);
    const bool take = WaitForWork(lock, link);
    if (!take && Finished()) break;
    if (!take) continue;
    auto entries = queue_.Take(options_.max_batch);
    last_batch_ = entries.size();
    const bool more = queue_.HasReady();
    lock.unlock();
    if (more) ready_.notify_one();
    Settlement settlement;
    Batch batch = Form(std::move(entries), settlement);
    if (!batch.commands.empty()) Run(link, std::move(batch), settlement);
    // Before the answers go out, so that a batch does not wait for a connection that is gone.
    SetConnected(counted, link.up());
    Finish(settlement);
  }
  SetConnected(counted, false);
}

// True if there is a batch to take. A worker without a connection takes one only to refuse it, when
// no other worker could run it; else it returns in time for its next try to connect, and one with a
// connection in time to look after it.
template <typename Command, typename Answer>
bool Batcher<Command, Answer>::WaitForWork(std::unique_lock<std::mutex>& lock, Link& link) {
  if (link.up()) {
    const auto ready = [this] { return queue_.HasReady() && !gathering_; };
    ready_.wait_for(lock, kIdleCheck, [&] { return ready() || Finished(); });
    if (!ready()) return false;
    gathering_ = true;
    company_.wait_for(lock, options_.gathering, [this] { return WorthABatch() || Finished(); });
    gathering_ = false;
    return queue_.HasReady();
  }
  const auto refusable = [this] { return queue_.HasReady() && connected_ == 0; };
  down_.wait_until(lock, link.next_try(), [&] { return refusable() || Finished(); });
  return refusable();
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::ServeAlone() {
  Link link(settings_);
  while (true) {
    std::unique_lock lock(mutex_);
    alone_ready_.wait(lock, [this] { return !alone_.empty() || !blocked_.empty() || Finished(); });
    auto& line = alone_.empty() ? blocked_ : alone_;
    if (line.empty()) return;
    std::vector<Entry> entries;
    entries.push_back(std::move(line.front()));
    line.pop_front();
    lock.unlock();
    Settlement settlement;
    Batch batch = Form(std::move(entries), settlement);
    batch.alone = true;
    if (!batch.commands.empty()) Run(link, std::move(batch), settlement);
    Finish(settlement);
  }
}

// Sorts by key and leaves out what is past its deadline.
template <typename Command, typename Answer>
auto Batcher<Command, Answer>::Form(std::vector<Entry> entries, Settlement& settlement) -> Batch {
  if (options_.distinct_keys) {
    std::ranges::sort(entries, {},
                      [](const Entry& entry) -> const std::string& { return entry.key->first; });
  }
  const auto now = std::chrono::steady_clock::now();
  Batch batch;
  batch.commands.reserve(entries.size());
  batch.tickets.reserve(entries.size());
  for (auto& [key, pending] : entries) {
    Ticket ticket{key,
                  pending.deadline,
                  std::move(pending.done),
                  pending.tried_again,
                  pending.resent,
                  pending.gives_up};
    if (ticket.deadline <= now) {
      Settle(ticket, Fail(reasons::kDeadlineExceeded), settlement);
      continue;
    }
    batch.commands.push_back(std::move(pending.command));
    batch.tickets.push_back(std::move(ticket));
  }
  return batch;
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::Run(Link& link, Batch batch, Settlement& settlement) {
  if (!link.Ensure()) {
    const Error away{&reasons::kDependencyUnavailable, "", "no connection to the database", {}};
    return SendAgain(std::move(batch), away, settlement);
  }
  const auto began = std::chrono::steady_clock::now();
  const auto report = [&, size = batch.commands.size()](bool failed) {
    if (!options_.observe) return;
    options_.observe({size, std::chrono::steady_clock::now() - began, failed});
  };
  try {
    auto outcomes = work_.statement(*link, batch.commands);
    report(false);
    Invariant(outcomes.size() == batch.commands.size(), "a statement answers every command");
    Decide(std::move(batch), std::move(outcomes), settlement);
  } catch (const Unavailable& fault) {
    link.Drop();
    report(true);
    Resolve(link, std::move(batch), fault, settlement);
  } catch (const Fault& fault) {
    report(true);
    Separate(std::move(batch), fault, settlement);
  } catch (const std::exception& fault) {
    report(true);
    AnswerAll(batch, Error{&reasons::kInternal, "", fault.what(), {}}, settlement);
  }
}

// The connection is lost.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::Resolve(Link& link, Batch batch, const Unavailable& fault,
                                       Settlement& settlement) {
  if (!fault.InDoubt() || options_.read_only) {
    Error error = ToError(fault);
    error.reason = &reasons::kDependencyUnavailable;
    return SendAgain(std::move(batch), error, settlement);
  }
  std::vector<std::optional<Result<Answer>>> found;
  if (work_.lookup && link.Ensure()) {
    try {
      found = work_.lookup(*link, batch.commands);
      Invariant(found.size() == batch.commands.size(), "a lookup answers for every command");
    } catch (const Fault&) {  // then they stay unknown
      link.Drop();
    }
  }
  found.resize(batch.commands.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    Settle(batch.tickets[i], found[i] ? std::move(*found[i]) : Result<Answer>(Fail(ToError(fault))),
           settlement);
  }
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::Decide(Batch batch, std::vector<Outcome<Answer>> outcomes,
                                      Settlement& settlement) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Ticket& ticket = batch.tickets[i];
    if (auto* answer = std::get_if<Result<Answer>>(&outcomes[i])) {
      Settle(ticket, std::move(*answer), settlement);
    } else if (ticket.tried_again) {
      Settle(ticket, Fail(reasons::kDependencyUnavailable, {.detail = "undecided twice"}),
             settlement);
    } else {
      ticket.tried_again = true;
      settlement.put_back.push_back(Reopen(ticket, batch.commands[i]));
    }
  }
}

// The server, or our own check of a text, refused the whole batch: only the guilty may suffer.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::Separate(Batch batch, const Fault& fault, Settlement& settlement) {
  const bool single = batch.commands.size() == 1;
  if (single && dynamic_cast<const LockTimeout*>(&fault) != nullptr) {
    return TryLater(std::move(batch), fault, settlement);
  }
  const bool may_pass = dynamic_cast<const Conflict*>(&fault) != nullptr;
  if (batch.alone || (single && !may_pass)) {
    return AnswerAll(batch, ToError(fault), settlement);
  }
  for (std::size_t i = 0; i < batch.tickets.size(); ++i) {
    settlement.alone.push_back(Reopen(batch.tickets[i], batch.commands[i]));
  }
}

// It is this very command whose row is held. One long wait would keep the connection from those who
// meet no held row; short tries in turn with them do not.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::TryLater(Batch batch, const Fault& fault, Settlement& settlement) {
  Ticket& ticket = batch.tickets.front();
  const auto now = std::chrono::steady_clock::now();
  if (ticket.gives_up == Deadline{}) ticket.gives_up = now + options_.patience;
  if (ticket.gives_up <= now) return AnswerAll(batch, ToError(fault), settlement);
  settlement.blocked.push_back(Reopen(ticket, batch.commands.front()));
}

// Nothing was done: each command has one more connection to try.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::SendAgain(Batch batch, const Error& otherwise,
                                         Settlement& settlement) {
  for (std::size_t i = 0; i < batch.tickets.size(); ++i) {
    Ticket& ticket = batch.tickets[i];
    if (ticket.resent) {
      Settle(ticket, Fail(otherwise), settlement);
    } else {
      ticket.resent = true;
      settlement.put_back.push_back(Reopen(ticket, batch.commands[i]));
    }
  }
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::AnswerAll(Batch& batch, const Error& error, Settlement& settlement) {
  for (auto& ticket : batch.tickets) Settle(ticket, Fail(error), settlement);
}

template <typename Command, typename Answer>
void Batcher<Command, Answer>::Settle(Ticket& ticket, Result<Answer> answer,
                                      Settlement& settlement) {
  settlement.released.push_back(ticket.key);
  settlement.answers.emplace_back(std::move(ticket.done), std::move(answer));
}

template <typename Command, typename Answer>
auto Batcher<Command, Answer>::Reopen(Ticket& ticket, Command& command) -> Entry {
  return {ticket.key,
          {std::move(command), ticket.deadline, std::move(ticket.done), ticket.tried_again,
           ticket.resent, ticket.gives_up}};
}

// Frees the keys first, so that the commands behind them run while these callers are answered.
template <typename Command, typename Answer>
void Batcher<Command, Answer>::Finish(Settlement& settlement) {
  const auto answer_all = [&settlement] {
    for (auto& [done, answer] : settlement.answers) done(std::move(answer));
  };
  if (options_.answers_in_order) answer_all();
  std::unique_lock lock(mutex_);
  for (Key* key : settlement.released) queue_.Release(key);
  while (!settlement.put_back.empty()) {
    queue_.PutBack(std::move(settlement.put_back.back()));
    settlement.put_back.pop_back();
  }
  for (auto& entry : settlement.alone) alone_.push_back(std::move(entry));
  for (auto& entry : settlement.blocked) blocked_.push_back(std::move(entry));
  open_ -= settlement.answers.size();
  const bool more = queue_.HasReady();
  const bool finished = Finished();
  auto& sleeper = connected_ > 0 ? ready_ : down_;
  lock.unlock();
  if (finished) {
    WakeAll();
  } else {
    if (more) sleeper.notify_one();
    if (!settlement.alone.empty() || !settlement.blocked.empty()) alone_ready_.notify_all();
  }
  if (!options_.answers_in_order) answer_all();
}

}  // namespace countersign::pg
