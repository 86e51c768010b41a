#include <kindling/core/error.hpp>
#include <kindling/train/callback_log.hpp>
#include <kindling/train/learner.hpp>
#include <kindling/train/plots.hpp>

#include "core/file_descriptor.hpp"
#include "train/protobuf.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace kindling {

namespace {

fs::path made_in(const Learner& learn, const fs::path& name) {
  const fs::path path = learn.options().path / name;
  if (path.parent_path().empty()) return path;
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed) throw system_error(failed.value(), "create the folder", path.parent_path());
  return path;
}

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

void LogFile::open(const fs::path& path, bool append) {
  path_ = path;
  file_.reset(std::fopen(path.c_str(), append ? "ae" : "we"));
  if (!file_) throw detail::write_error(errno, path);
}

void LogFile::write(const void* data, std::size_t size) {
  if (std::fwrite(data, 1, size, file_.get()) != size) throw detail::write_error(errno, path_);
}

void LogFile::flush() {
  if (std::fflush(file_.get()) != 0) throw detail::write_error(errno, path_);
}

void CSVLogger::before_fit(Learner& learn) {
  file_->open(made_in(learn, options_.fname), options_.append);
  file_->write(fmt::format("{}\n", fmt::join(learn.recorder().columns(), ",")));
  file_->flush();
}

void CSVLogger::after_epoch(Learner& learn) {
  const Recorder& record = learn.recorder();
  std::string line = fmt::to_string(learn.epoch);
  for (double v : record.final_record()) line += std::isnan(v) ? ",None" : fmt::format(",{}", v);
  if (record.options.add_time) line += "," + record.cells(record.epochs.back()).back();
  file_->write(line + "\n");
  file_->flush();
}

void JsonLogger::before_fit(Learner& learn) {
  if (!*file_) file_->open(made_in(learn, options_.fname), options_.append);
  file_->write(line_of({{"event", "fit"}, {"epochs", learn.n_epoch}, {"batches", learn.dls.train().size()}}));
  file_->flush();
}

void JsonLogger::after_batch(Learner& learn) {
  if (!learn.training || options_.every == 0 || !learn.loss.defined()) return;
  // train_iter counts this batch already.
  if ((learn.train_iter - 1) % options_.every != 0) return;
  Json json = {{"event", "batch"}, {"epoch", learn.epoch}, {"iter", learn.train_iter - 1},
               {"loss", number(learn.loss.item<double>())}};
  for (const auto& [name, value] : learn.opt->hypers(learn.opt->n_groups() - 1)) json[name] = number(value);
  file_->write(line_of(json));
}

void JsonLogger::after_epoch(Learner& learn) {
  const auto columns = learn.recorder().columns();
  const auto values = learn.recorder().final_record();
  Json json = {{"event", "epoch"}, {"epoch", learn.epoch}};
  for (std::size_t i = 0; i < values.size(); ++i) json[columns[i + 1]] = number(values[i]);
  file_->write(line_of(json));
  file_->flush();
}

void ShowGraphCallback::after_epoch(Learner& learn) const {
  plot_loss(learn.recorder(), {.skip_start = 0}).save(made_in(learn, fname));
}

// ---- TensorBoard

namespace {

using detail::Message;

/// Castagnoli's CRC, reflected, as TFRecords use it.
std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
      t[i] = crc;
    }
    return t;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = table[(crc ^ static_cast<std::uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class T>
std::string raw(T value) {
  static_assert(std::endian::native == std::endian::little, "TFRecords are little-endian");
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

fs::path new_event_file(const fs::path& folder) {
  static std::atomic<int> count{0};
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return folder / fmt::format("events.out.tfevents.{}.{}.{}.{}", static_cast<std::int64_t>(wall_time()), host.data(),
                              ::getpid(), count++);
}

}  // namespace

EventFileWriter::EventFileWriter(const fs::path& folder) : path_(new_event_file(folder)) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw system_error(failed.value(), "create the folder", folder);
  file_.open(path_, false);
  record(Message().add_double(1, wall_time()).add_bytes(3, "brain.Event:2").text());
  file_.flush();
}

void EventFileWriter::record(const std::string& message) {
  const std::string length = raw(static_cast<std::uint64_t>(message.size()));
  file_.write(length + raw(masked(crc32c(length))) + message + raw(masked(crc32c(message))));
}

void EventFileWriter::add(const std::string& value_message, std::int64_t step) {
  const std::string summary = Message().add_bytes(1, value_message).text();
  const auto at = static_cast<std::uint64_t>(step);
  record(Message().add_double(1, wall_time()).add_varint(2, at).add_bytes(5, summary).text());
}

void EventFileWriter::add_scalar(const std::string& tag, double value, std::int64_t step) {
  add(Message().add_bytes(1, tag).add_float(2, static_cast<float>(value)).text(), step);
}

void EventFileWriter::add_image(const std::string& tag, const Bytes& png, int width, int height, std::int64_t step) {
  const std::string_view bytes(reinterpret_cast<const char*>(png.data()), png.size());
  const std::string image = Message()
                                .add_varint(1, static_cast<std::uint64_t>(height))
                                .add_varint(2, static_cast<std::uint64_t>(width))
                                .add_varint(3, 3)
                                .add_bytes(4, bytes)
                                .text();
  add(Message().add_bytes(1, tag).add_bytes(4, image).text(), step);
}

void TensorBoardCallback::before_fit(Learner& learn) {
  writer_ = std::make_shared<EventFileWriter>(learn.options().path / options_.log_dir);
}

void TensorBoardCallback::after_batch(Learner& learn) {
  if (!learn.recorder().losses.empty())
    writer_->add_scalar("train_loss", learn.recorder().losses.back(), learn.train_iter);
  for (std::size_t g = 0; g < learn.opt->n_groups(); ++g) {
    for (const auto& [name, value] : learn.opt->hypers(g))
      writer_->add_scalar(fmt::format("{}_{}", name, g), value, learn.train_iter);
  }
}

void TensorBoardCallback::after_epoch(Learner& learn) {
  const auto columns = learn.recorder().columns();
  const auto values = learn.recorder().final_record();
  // The first column is the epoch, the second the training loss, which is logged at each batch.
  for (std::size_t i = 1; i < values.size(); ++i) writer_->add_scalar(columns[i + 1], values[i], learn.train_iter);
  if (options_.log_preds) {
    const Picture picture = learn.show_results({.max_n = options_.n_preds});
    writer_->add_image("results", picture.png(), picture.image().width(), picture.image().height(), learn.train_iter);
  }
  writer_->flush();
}

void TensorBoardCallback::after_fit(Learner&) {
  if (writer_) writer_->flush();
}

}  // namespace kindling
