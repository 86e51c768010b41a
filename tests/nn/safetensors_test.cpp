#include "core/temporary_folder.hpp"
#include "nn/weights_golden.hpp"
#include "error_in.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using testing::as_bytes;
using testing::error_in;
using ::testing::HasSubstr;

/// A file of a header and `data_bytes` zeros.
std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  std::string out(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(out.data(), &length, 8);
  return out + header + std::string(data_bytes, '\0');
}

Weights read(const std::string& file) {
  // At an address that is aligned whatever std::string gave.
  auto copy = std::make_shared<std::vector<std::uint64_t>>(file.size() / 8 + 1);
  std::memcpy(copy->data(), file.data(), file.size());
  return read_safetensors({reinterpret_cast<const std::uint8_t*>(copy->data()), file.size()}, copy,
                          "x.safetensors");
}

std::string message_of(const std::string& file) {
  const Error e = error_in([&] { read(file); });
  EXPECT_EQ(e.fact("path"), "x.safetensors");
  EXPECT_FALSE(e.hint().empty());
  return e.message();
}

std::string one_tensor(const std::string& fields) {
  return R"({"a":{)" + fields + "}}";
}

TEST(SafetensorsReader, ReadsWhatPythonWrote) {
  const auto weights = Weights::open(testing::golden_file("weights_python.safetensors"));
  testing::expect_equal(weights, testing::golden_rows("weights_made.json", "weights_python.safetensors"),
                        false);
  EXPECT_EQ(weights.metadata().at("made by"), "safetensors");
  EXPECT_EQ(weights.metadata().at("ü"), "ß");
}

TEST(SafetensorsReader, ViewsStayGoodAfterTheWeightsAreGone) {
  torch::Tensor kept;
  {
    const auto weights = Weights::open(testing::golden_file("weights_python.safetensors"));
    kept = weights.at("f32");
  }
  EXPECT_TRUE(torch::isfinite(kept).all().item<bool>());
}

TEST(SafetensorsReader, CopiesWhereDataIsNotAligned) {
  const std::string header = one_tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])");
  for (const char* padding : {"", " ", "  ", "   "}) {
    const auto weights = read(file_of(header + padding, 8));
    const auto& a = weights.at("a");
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.const_data_ptr()) % 4, 0u);
    EXPECT_EQ(a.sum().item<float>(), 0);
  }
}

TEST(SafetensorsReader, KeepsTheHeadersOrder) {
  const auto weights = read(file_of(
      R"({"z":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
      2));
  EXPECT_EQ(weights.tensors()[0].first, "z");
}

TEST(SafetensorsReader, AcceptsEmptyFilesAndEmptyTensors) {
  EXPECT_EQ(read(file_of("{}")).size(), 0u);
  const auto weights = read(file_of(one_tensor(R"("dtype":"F32","shape":[0,3],"data_offsets":[0,0])")));
  EXPECT_EQ(weights.at("a").sizes(), (std::vector<std::int64_t>{0, 3}));
}

TEST(SafetensorsReader, RefusesABadLength) {
  EXPECT_THAT(message_of("abc"), HasSubstr("too short"));
  EXPECT_THAT(message_of(file_of("{}").substr(0, 9)), HasSubstr("longer than the file"));
  EXPECT_THAT(message_of(std::string(8, '\xff') + "{}"), HasSubstr("longer than 100 MB"));
  EXPECT_THAT(message_of(file_of("")), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(message_of(file_of(" {}")), HasSubstr("does not begin with '{'"));
}

struct BadHeader {
  const char* header;
  std::size_t data;
  const char* message;
};
class SafetensorsBadHeader : public ::testing::TestWithParam<BadHeader> {};

TEST_P(SafetensorsBadHeader, IsRefusedWithItsReason) {
  const auto& [header, data, message] = GetParam();
  EXPECT_THAT(message_of(file_of(header, data)), HasSubstr(message));
}

INSTANTIATE_TEST_SUITE_P(
    Safetensors, SafetensorsBadHeader,
    ::testing::Values(
        BadHeader{"{", 0, "not valid JSON"}, BadHeader{"{}x", 0, "not valid JSON"},
        BadHeader{"{\"\xff\":1}", 0, "not valid JSON"},
        BadHeader{R"({"a":1})", 0, "a number where none belongs"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1]}})", 0, "is missing"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "unknown field 'x'"},
        BadHeader{R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4,
                  "'dtype' stands twice"},
        BadHeader{
            R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
            2, "'a' stands twice"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "a negative number"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "not whole"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4,
                  "an array where none belongs"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "not a pair"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 8,
                  "a number where none belongs"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "run backwards"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3, "beyond the end"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 8, "do not fit its shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "a hole"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, "belong to no tensor"},
        BadHeader{
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
            6, "overlap"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                  "shape overflows"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                  "shape overflows"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
                  "shape overflows"},
        BadHeader{R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", 1,
                  "dtype F4 are not supported"},
        BadHeader{R"({"__metadata__":{"a":1}})", 0, "a number where none belongs"},
        BadHeader{R"({"__metadata__":{"a":"1","a":"2"}})", 0, "'a' stands twice"},
        BadHeader{R"({"__metadata__":{"a":{}}})", 0, "an object where none belongs"},
        BadHeader{R"({"__metadata__":"x"})", 0, "a string where none belongs"}));

TEST(SafetensorsReader, RefusesABoolThatIsNeither) {
  std::string file = file_of(one_tensor(R"("dtype":"BOOL","shape":[2],"data_offsets":[0,2])"), 2);
  file.back() = '\x02';
  EXPECT_THAT(message_of(file), HasSubstr("neither 0 nor 1"));
}

TEST(SafetensorsReader, EveryShorterFileIsRefused) {
  const std::string whole = testing::bytes_of(testing::golden_file("weights_python.safetensors"));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_THROW(read(whole.substr(0, n)), Error) << n;
  }
}

Weights::Named some_tensors() {
  return {{"last", torch::arange(3, torch::kUInt8)},
          {"first", torch::tensor({1.5, -2.0}, torch::kDouble)},
          {"view", torch::arange(6, torch::kFloat).reshape({2, 3}).t()},
          {"half", torch::ones({3}, torch::kHalf)},
          {"flag", torch::tensor({true, false})},
          {"none", torch::empty({0, 2})},
          {"scalar", torch::tensor(7, torch::kLong)}};
}

TEST(SafetensorsWriter, RoundTripsOrderValuesAndMetadata) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  save_safetensors(path, some_tensors(), {{"b", "\"quoted\" ü"}, {"a", ""}});
  const auto weights = Weights::open(path);
  const auto expected = some_tensors();
  ASSERT_EQ(weights.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(weights.tensors()[i].first, expected[i].first);
    EXPECT_TRUE(torch::equal(weights.tensors()[i].second, expected[i].second)) << expected[i].first;
    EXPECT_EQ(weights.tensors()[i].second.scalar_type(), expected[i].second.scalar_type());
  }
  EXPECT_EQ(weights.metadata(), (std::map<std::string, std::string>{{"a", ""}, {"b", "\"quoted\" ü"}}));
}

TEST(SafetensorsWriter, AlignsTheDataAndEveryTensor) {
  const testing::TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", some_tensors());
  const std::string file = testing::bytes_of(folder / "a.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  EXPECT_EQ((8 + length) % 64, 0u);
  const Json header = parse_json(file.substr(8, length), "header");
  for (const auto& [name, tensor] : some_tensors()) {
    EXPECT_EQ(header[name]["data_offsets"][0].get<std::size_t>() % tensor.element_size(), 0u) << name;
  }
}

TEST(SafetensorsWriter, GivesTheSameBytesTwice) {
  const testing::TemporaryFolder folder;
  save_safetensors(folder / "a", some_tensors(), {{"x", "y"}});
  save_safetensors(folder / "b", some_tensors(), {{"x", "y"}});
  EXPECT_EQ(testing::bytes_of(folder / "a"), testing::bytes_of(folder / "b"));
}

TEST(SafetensorsWriter, RefusesWhatTheFormatCannotSay) {
  const testing::TemporaryFolder folder;
  const auto message = [&](const Weights::Named& tensors) {
    return error_in([&] { save_safetensors(folder / "a", tensors); }).message();
  };
  const auto one = torch::ones({1});
  EXPECT_THAT(message({{"a", one}, {"a", one}}), HasSubstr("different names"));
  EXPECT_THAT(message({{"__metadata__", one}}), HasSubstr("different names"));
  EXPECT_THAT(message({{"\xff", one}}), HasSubstr("UTF-8"));
  EXPECT_THAT(message({{"a", torch::Tensor()}}), HasSubstr("undefined"));
  EXPECT_THAT(message({{"a", torch::ones({1}, torch::kComplexFloat)}}), HasSubstr("cannot be written"));
  EXPECT_THAT(message({{"a", torch::eye(2).to_sparse()}}), HasSubstr("cannot be written"));
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(SafetensorsWriter, LeavesTheOldFileWhenAFurtherOneFails) {
  const testing::TemporaryFolder folder;
  save_safetensors(folder / "a", some_tensors());
  const std::string before = testing::bytes_of(folder / "a");
  EXPECT_THROW(save_safetensors(folder / "a", {{"bad", torch::Tensor()}}), Error);
  EXPECT_EQ(testing::bytes_of(folder / "a"), before);
}

}  // namespace
}  // namespace kindling
