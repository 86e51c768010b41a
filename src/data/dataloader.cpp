#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/data/dataloader.hpp>
#include <kindling/data/pairs.hpp>

#include "core/seconds_since.hpp"
#include "data/idle_threads.hpp"
#include "data/item_cache.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>

#include <fmt/format.h>

namespace kindling {

namespace {

using detail::seconds_since;
using Clock = std::chrono::steady_clock;

/// Into memory from which the device fetches a batch beside its computing.
void pin(Values& batch) {
  for (Value& member : batch) {
    const auto tensor = tensor_of(member);
    if (tensor.defined() && tensor.is_cpu() && tensor.layout() == torch::kStrided)
      member = with_tensor(member, tensor.pin_memory());
  }
}

}  // namespace

/// Workers take the next item in order, as long as its batch is fewer than `prefetch` ahead of the consumer.
struct DataLoader::Epoch::State {
  /// A batch under way: workers fill its items in any order, the last one collates.
  struct Slot {
    std::vector<Values> items;
    std::size_t missing = 0;
    Values values;
    std::exception_ptr error;
    std::size_t error_at = 0;

    explicit Slot(std::size_t n) : items(n), missing(n), error_at(n) {}
  };

  std::shared_ptr<const Dataset> dataset;
  std::shared_ptr<const Pipeline> pipeline;
  const BatchDataset* batches = nullptr;  // the data set, where it makes whole batches
  DataLoaderOptions options;
  std::int64_t epoch = 0;
  std::vector<std::int64_t> order;
  std::int64_t n_batches = 0;
  std::int64_t taken_batches = 0;  // by the consumer
  LoaderTimes times;
  std::shared_ptr<ItemCache> cache;

  std::mutex mutex;
  std::condition_variable work_possible;
  std::condition_variable batch_ready;
  std::size_t next_position = 0;
  std::deque<std::shared_ptr<Slot>> slots;  // of batches taken_batches, taken_batches + 1, …
  bool stop = false;
  std::vector<std::thread> workers;

  std::size_t batch_begin(std::int64_t batch) const { return static_cast<std::size_t>(batch) * options.bs; }
  std::size_t batch_length(std::int64_t batch) const {
    return std::min<std::size_t>(options.bs, order.size() - batch_begin(batch));
  }
  std::size_t end_position() const {
    return n_batches == 0 ? 0 : batch_begin(n_batches - 1) + batch_length(n_batches - 1);
  }
  ItemContext context(std::int64_t item) const {
    return {.split = options.split, .seed = options.seed, .epoch = epoch, .item = item};
  }

  Values make_item(std::int64_t index, StageTimes& stages) const {
    try {
      Values raw = dataset->raw(index);
      const auto make = [&] { return pipeline->encode_kept(std::move(raw), context(index), stages); };
      return pipeline->encode_rest(cache ? cache->get(index, raw, make) : make(), context(index), stages);
    } catch (Error& e) {
      throw e.with({"item", index}).with({"path", describe(dataset->item(index))});
    }
  }

  void start() {
    if (pipeline->item_tfms.empty() &&
        std::ranges::all_of(pipeline->blocks, [](const Transforms& tfms) { return tfms.empty(); }))
      batches = dynamic_cast<const BatchDataset*>(dataset.get());
    const int wanted = batches ? 0 : options.num_workers < 0 ? hardware_threads() : options.num_workers;
    if (wanted > 0) detail::let_idle_compute_threads_sleep();
    for (int i = 0; i < std::min<std::int64_t>(wanted, static_cast<std::int64_t>(end_position())); ++i) {
      workers.emplace_back([this] { work(); });
    }
    times.workers = std::max<int>(1, static_cast<int>(workers.size()));
  }

  void finish() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    work_possible.notify_all();
    for (std::thread& w : workers) w.join();
    workers.clear();
  }

  bool may_begin() const {
    return next_position < end_position() && static_cast<std::int64_t>(next_position / options.bs) <
                                                 taken_batches + std::max(1, options.prefetch);
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      work_possible.wait(lock, [&] { return stop || next_position >= end_position() || may_begin(); });
      if (stop || next_position >= end_position()) return;
      const std::size_t position = next_position++;
      const auto batch = static_cast<std::int64_t>(position / options.bs);
      const std::size_t at = position - batch_begin(batch);
      if (at == 0) slots.push_back(std::make_shared<Slot>(batch_length(batch)));
      auto slot = slots[batch - taken_batches];
      lock.unlock();
      const auto start = Clock::now();
      StageTimes stages;
      fill(*slot, position, at, stages);
      const double spent = seconds_since(start);
      lock.lock();
      add_times(spent, stages);
    }
  }

  void add_times(double spent, const StageTimes& stages) {
    times.item_s += spent;
    for (const auto& [name, seconds] : stages) times.stages[name] += seconds;
  }

  void fill(Slot& slot, std::size_t position, std::size_t at, StageTimes& stages) {
    Values item;
    std::exception_ptr error;
    try {
      item = make_item(order[position], stages);
    } catch (...) {
      error = std::current_exception();
    }
    std::unique_lock lock(mutex);
    slot.items[at] = std::move(item);
    if (error && at < slot.error_at) {
      slot.error = error;
      slot.error_at = at;
    }
    if (slot.missing > 1) {
      --slot.missing;
      return;
    }
    lock.unlock();
    finish_slot(slot, stages);
    lock.lock();
    slot.missing = 0;
    batch_ready.notify_all();
  }

  void finish_slot(Slot& slot, StageTimes& stages) const {
    if (slot.error) return;
    const auto start = Clock::now();
    try {
      slot.values = collate(slot.items);
      if (options.device.is_cuda()) pin(slot.values);
    } catch (...) {
      slot.error = std::current_exception();
    }
    slot.items.clear();
    stages["collate"] += seconds_since(start);
  }

  std::shared_ptr<Slot> take() {
    std::unique_lock lock(mutex);
    const auto start = Clock::now();
    batch_ready.wait(lock, [&] { return !slots.empty() && slots.front()->missing == 0; });
    times.wait_s += seconds_since(start);
    auto slot = slots.front();
    slots.pop_front();
    ++taken_batches;
    work_possible.notify_all();
    return slot;
  }

  std::shared_ptr<Slot> make_here() {
    const std::int64_t batch = taken_batches++;
    auto slot = std::make_shared<Slot>(batch_length(batch));
    const auto start = Clock::now();
    StageTimes stages;
    if (batches) {
      slot->values = batches->batch(std::span(order).subspan(batch_begin(batch), batch_length(batch)));
    } else {
      for (std::size_t at = 0; at < slot->items.size(); ++at)
        slot->items[at] = make_item(order[batch_begin(batch) + at], stages);
      finish_slot(*slot, stages);
    }
    add_times(seconds_since(start), stages);
    // No one else makes items meanwhile: what they took is what the consumer waited.
    times.wait_s = times.item_s;
    return slot;
  }
};

/// n places, each drawn among all.
static std::vector<std::int64_t> draws(std::int64_t n, CounterRng& rng) {
  std::vector<std::int64_t> places(n);
  for (std::int64_t& place : places) place = rng.integer(0, n - 1);
  return places;
}

DataLoader::Epoch::Epoch(const DataLoader& loader, std::int64_t epoch, std::int64_t first_batch)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.dataset = loader.dataset_;
  s.pipeline = loader.pipeline_;
  s.options = loader.options_;
  s.epoch = epoch;
  s.cache = loader.cache_;
  if (s.options.shuffle) {
    CounterRng rng(s.options.seed, 0x5be0cd19, epoch);
    s.order = s.options.replacement ? draws(s.dataset->size(), rng) : permutation(s.dataset->size(), rng);
  } else {
    s.order.resize(s.dataset->size());
    std::iota(s.order.begin(), s.order.end(), 0);
  }
  s.n_batches = loader.size();
  s.taken_batches = std::clamp<std::int64_t>(first_batch, 0, s.n_batches);
  s.next_position = std::min(s.batch_begin(s.taken_batches), s.end_position());
  s.start();
}

DataLoader::Epoch::~Epoch() {
  if (state_) state_->finish();
}

DataLoader::Epoch::Epoch(Epoch&&) noexcept = default;

const LoaderTimes& DataLoader::Epoch::times() const {
  return state_->times;
}

bool DataLoader::Epoch::next(Values& values, std::vector<std::int64_t>& items) {
  State& s = *state_;
  if (s.taken_batches >= s.n_batches) return false;
  const std::int64_t batch = s.taken_batches;
  auto slot = s.workers.empty() ? s.make_here() : s.take();
  if (slot->error) std::rethrow_exception(slot->error);
  auto first = s.order.begin() + static_cast<std::ptrdiff_t>(s.batch_begin(batch));
  items.assign(first, first + static_cast<std::ptrdiff_t>(s.batch_length(batch)));
  const auto start = Clock::now();
  values = s.pipeline->encode_batch(std::move(slot->values), s.context(batch), s.options.device);
  s.times.batch_s += seconds_since(start);
  return true;
}

bool DataLoader::Epoch::next(Batch& batch) {
  Values values;
  std::vector<std::int64_t> items;
  batch = {};
  if (!next(values, items)) return false;
  batch = to_batch(values, state_->pipeline->n_inp);
  batch.items = std::move(items);
  return true;
}

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, std::shared_ptr<const Pipeline> pipeline,
                       DataLoaderOptions options)
    : dataset_(std::move(dataset)),
      pipeline_(std::move(pipeline)),
      options_(options),
      next_epoch_(std::make_shared<std::int64_t>(0)) {
  if (options_.bs < 1) {
    throw Error(ErrorCode::usage, "a batch has at least one item", {{"bs", options_.bs}});
  }
  if (options_.cache != Cache::off && dataset_->repeatable() && pipeline_->keeps(options_.split)) {
    cache_ = std::make_shared<ItemCache>(options_.cache, dataset_->size(), *pipeline_, options_.split);
  }
}

DataLoader DataLoader::with(DataLoaderOptions options) const {
  const bool shares = cache_ && options.cache == options_.cache && options.split == options_.split;
  if (shares) options.cache = Cache::off;
  DataLoader other(dataset_, pipeline_, options);
  other.options_.cache = shares ? options_.cache : options.cache;
  if (shares) other.cache_ = cache_;
  return other;
}

std::string bottleneck(const LoaderTimes& times, double seconds) {
  const double waited = seconds > 0 ? std::min(1.0, times.wait_s / seconds) : 0;
  // Waiting for a tenth of the time is what the first batch of a short epoch takes.
  if (waited < 0.1 || times.item_s <= 0) {
    return fmt::format("compute-bound: waited {:.0f} % of the time for data", 100 * waited);
  }
  const auto longest = std::ranges::max_element(times.stages, {}, [](const auto& stage) { return stage.second; });
  return fmt::format("loading-bound: waited {:.0f} % of the time for data; {} took {:.0f} % of the loading", 100 * waited,
                     longest == times.stages.end() ? "loading" : longest->first,
                     100 * (longest == times.stages.end() ? 1.0 : longest->second / times.item_s));
}

DataLoader::Iterator DataLoader::begin() const {
  return Iterator(std::make_shared<Epoch>(*this, (*next_epoch_)++));
}

std::int64_t DataLoader::n() const {
  return dataset_->size();
}

std::int64_t DataLoader::size() const {
  return n() / options_.bs + (options_.drop_last || n() % options_.bs == 0 ? 0 : 1);
}

Values DataLoader::one_batch_values() const {
  if (size() == 0) {
    throw Error(
        ErrorCode::bad_data, "this DataLoader does not contain any batches",
        {{"items", n()}, {"bs", options_.bs}},
        "a batch that is not full is left out in training: choose a bs of at most " + std::to_string(n()));
  }
  DataLoaderOptions first_only = options_;
  first_only.prefetch = 1;
  Values values;
  std::vector<std::int64_t> items;
  with(first_only).epoch((*next_epoch_)++).next(values, items);
  return values;
}

Batch DataLoader::one_batch() const {
  return to_batch(one_batch_values(), pipeline_->n_inp);
}

}  // namespace kindling
