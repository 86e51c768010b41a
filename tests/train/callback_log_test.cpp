#include <kindling/train/callbacks.hpp>

#include "core/temporary_folder.hpp"
#include "train/golden_learner.hpp"

#include <cstdlib>
#include <cstring>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

std::string joined_lines(const std::string& text, const std::function<std::string(const std::string&)>& change) {
  std::istringstream stream(text);
  std::string out;
  for (std::string line; std::getline(stream, line);) out += change(line) + "\n";
  return out;
}

/// CRC-32C bit by bit: slow, and another way than the writer's.
std::uint32_t masked_crc(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78U : crc >> 1;
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

/// A strict reader of what TensorBoard reads: throws at anything that is not as the formats say.
class EventReader {
 public:
  struct Scalar {
    std::string tag;
    float value = 0;
    std::int64_t step = 0;
  };
  explicit EventReader(std::string bytes) : bytes_(std::move(bytes)) {
    while (at_ < bytes_.size()) read_record();
  }
  std::string version;
  std::vector<Scalar> scalars;
  std::vector<std::string> pictures;

 private:
  struct Field {
    int number = 0, type = 0;
    std::uint64_t value = 0;
    std::string_view bytes;
  };

  template <class T>
  T take(std::string_view from, std::size_t at) {
    if (from.size() < at + sizeof(T)) throw std::runtime_error("the file ends early");
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
  }

  void read_record() {
    const auto length = take<std::uint64_t>(bytes_, at_);
    if (take<std::uint32_t>(bytes_, at_ + 8) != masked_crc(std::string_view(bytes_).substr(at_, 8)))
      throw std::runtime_error("the length's checksum is wrong");
    const std::string_view message = std::string_view(bytes_).substr(at_ + 12, length);
    if (message.size() != length || take<std::uint32_t>(bytes_, at_ + 12 + length) != masked_crc(message))
      throw std::runtime_error("the message's checksum is wrong");
    at_ += 16 + length;
    read_event(message);
  }

  std::uint64_t varint(std::string_view text, std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = take<std::uint8_t>(text, at++);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw std::runtime_error("a varint does not end");
  }

  std::vector<Field> fields(std::string_view text) {
    std::vector<Field> all;
    for (std::size_t at = 0; at < text.size();) {
      const std::uint64_t key = varint(text, at);
      Field f{.number = static_cast<int>(key >> 3), .type = static_cast<int>(key & 7)};
      if (f.type == 0) f.value = varint(text, at);
      if (f.type == 1) f.value = take<std::uint64_t>(text, at), at += 8;
      if (f.type == 5) f.value = take<std::uint32_t>(text, at), at += 4;
      if (f.type == 2) {
        const std::uint64_t size = varint(text, at);
        f.bytes = text.substr(at, size);
        if (f.bytes.size() != size) throw std::runtime_error("a field ends early");
        at += size;
      }
      all.push_back(f);
    }
    return all;
  }

  void read_event(std::string_view text) {
    std::int64_t step = 0;
    std::string_view summary;
    for (const Field& f : fields(text)) {
      if (f.number == 2) step = static_cast<std::int64_t>(f.value);
      if (f.number == 3) version = f.bytes;
      if (f.number == 5) summary = f.bytes;
    }
    for (const Field& value : fields(summary)) {
      Scalar scalar{.step = step};
      bool is_scalar = false;
      for (const Field& f : fields(value.bytes)) {
        if (f.number == 1) scalar.tag = f.bytes;
        if (f.number == 2) {
          const auto bits = static_cast<std::uint32_t>(f.value);
          std::memcpy(&scalar.value, &bits, sizeof bits);
          is_scalar = true;
        }
        if (f.number == 4) {
          for (const Field& image : fields(f.bytes)) {
            if (image.number == 4) pictures.emplace_back(image.bytes);
          }
        }
      }
      if (is_scalar) scalars.push_back(scalar);
    }
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace

TEST(CSVLogger, FileEqualsFastaisButForTheTime) {
  const Json file = golden("train/callbacks.json");
  const TemporaryFolder folder;
  Learner learn =
      golden_learner(file.at("fits"), {.metrics = {accuracy}, .cbs = {CSVLogger()}, .path = folder.path()});
  learn.fit(2, 0.1);
  // Digits beyond the sixth differ between the libraries' kernels.
  const auto rounded = [](const std::string& text) {
    return joined_lines(text, [](const std::string& line) {
      std::istringstream cells(line);
      std::string out;
      for (std::string cell; std::getline(cells, cell, ',');) {
        if (cell.find(':') != std::string::npos) continue;
        out += cell.find('.') == std::string::npos ? cell : fmt::format("{:.5f}", std::stod(cell));
        out += ",";
      }
      return out;
    });
  };
  EXPECT_EQ(rounded(read_text(folder / "history.csv")), rounded(file.at("loop").at("csv").get<std::string>()));
}

TEST(JsonLogger, WritesALineABatchAndAnEpoch) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly({JsonLogger({.every = 2})});
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.fit(2, 0.05);
  std::vector<Json> lines;
  std::istringstream stream(read_text(folder / "log.jsonl"));
  for (std::string line; std::getline(stream, line);) lines.push_back(parse_json(line, "log"));
  ASSERT_EQ(lines.size(), 1u + 5u + 2u);  // batches 0, 2, 4, 6, 8 of 10
  EXPECT_EQ(lines[0]["event"], "fit");
  EXPECT_EQ(lines[1]["event"], "batch");
  EXPECT_EQ(lines[2]["iter"], 2);
  EXPECT_EQ(lines[2]["lr"], 0.05);
  const Json& last = lines.back();
  EXPECT_EQ(last["event"], "epoch");
  EXPECT_EQ(last["epoch"], 1);
  EXPECT_EQ(last["valid_loss"].get<double>(), learn.recorder().epochs.back().valid_loss);
}

TEST(ShowGraph, DrawsBothLossesAfterEachEpoch) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly({ShowGraphCallback{.fname = "graph.json"}});
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.fit(2, 0.05);
  const std::string text = parse_json(read_text(folder / "graph.json"), "graph").dump();
  EXPECT_THAT(text, HasSubstr(Json(learn.recorder().losses[3]).dump()));
  EXPECT_THAT(text, HasSubstr(Json(learn.recorder().epochs[1].valid_loss).dump()));
}

TEST(TensorBoard, FileHoldsWhatWasTrainedAndEveryChecksumIsRight) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly({TensorBoardCallback({.log_dir = "tb"})});
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.fit_one_cycle(2, 0.05);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder / "tb")) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_THAT(files[0].filename().string(), StartsWith("events.out.tfevents."));
  const EventReader read(read_text(files[0]));
  EXPECT_EQ(read.version, "brain.Event:2");
  std::map<std::string, std::vector<EventReader::Scalar>> by_tag;
  for (const auto& s : read.scalars) by_tag[s.tag].push_back(s);
  ASSERT_EQ(by_tag["train_loss"].size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(by_tag["train_loss"][i].step, static_cast<std::int64_t>(i + 1));
    EXPECT_FLOAT_EQ(by_tag["train_loss"][i].value, static_cast<float>(learn.recorder().losses[i]));
    EXPECT_FLOAT_EQ(by_tag["lr_1"][i].value, static_cast<float>(learn.recorder().lrs[i]));
    EXPECT_FLOAT_EQ(by_tag["mom_0"][i].value, static_cast<float>(learn.recorder().moms[i]));
  }
  ASSERT_EQ(by_tag["valid_loss"].size(), 2u);
  EXPECT_EQ(by_tag["valid_loss"][1].step, 10);
  EXPECT_FLOAT_EQ(by_tag["accuracy"][1].value, static_cast<float>(learn.recorder().epochs[1].metrics[0]));
}

TEST(TensorBoard, ItsOwnReaderReadsTheFile) {
  const char* python = std::getenv("KINDLING_PEER_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "KINDLING_PEER_PYTHON names no Python that has tensorboard";
  const TemporaryFolder folder;
  EventFileWriter writer(folder.path());
  for (int step = 1; step <= 300; ++step) writer.add_scalar("valid_loss", 1.0 / step, step);
  writer.add_scalar("accuracy", 0.75, 300);
  writer.flush();
  const std::string command =
      fmt::format("{} {}/tests/golden/read_tensorboard.py {} > {}", python, KINDLING_SOURCE_DIR,
                  writer.path().string(), (folder / "read.json").string());
  ASSERT_EQ(std::system(command.c_str()), 0);
  const Json scalars = parse_json(read_text(folder / "read.json"), "read.json").at("scalars");
  ASSERT_EQ(scalars.size(), 301u);
  EXPECT_EQ(scalars[299][0], "valid_loss");
  EXPECT_EQ(scalars[299][1], 300);
  EXPECT_FLOAT_EQ(scalars[299][2].get<float>(), 1.F / 300);
  EXPECT_EQ(scalars[300][0], "accuracy");
  EXPECT_EQ(scalars[300][2], 0.75);
}

TEST(TensorBoard, PicturesAreKeptAsEncoded) {
  const TemporaryFolder folder;
  EventFileWriter writer(folder.path());
  const Bytes png = {1, 2, 3, 0, 255};
  writer.add_image("results", png, 30, 20, 4);
  writer.flush();
  const EventReader read(read_text(writer.path()));
  ASSERT_EQ(read.pictures.size(), 1u);
  EXPECT_EQ(read.pictures[0], std::string("\1\2\3\0\xFF", 5));
}

}  // namespace kindling
