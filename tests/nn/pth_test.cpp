#include "core/temporary_folder.hpp"
#include "nn/weights_golden.hpp"
#include "error_in.hpp"

#include <gmock/gmock.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using testing::as_bytes;
using testing::error_in;
using testing::golden_file;
using ::testing::HasSubstr;

class PthGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(PthGolden, HoldsWhatPythonReads) {
  testing::expect_equal(Weights::open(golden_file(GetParam())),
                        testing::golden_rows("weights_made.json", GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Pth, PthGolden,
                         ::testing::Values("weights_zip.pth", "weights_legacy.pth", "weights_protocol4.pth",
                                           "weights_nested.pth", "weights_learn_save.pth"));

class PthFormats : public ::testing::TestWithParam<const char*> {};

TEST_P(PthFormats, SharesStoragesAndKeepsStrides) {
  const auto weights = Weights::open(golden_file(GetParam()));
  EXPECT_EQ(weights.at("transposed").strides(), (std::vector<std::int64_t>{1, 6}));
  EXPECT_EQ(weights.at("expanded").strides(), (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(weights.at("channels_last").is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(weights.at("shared.head").is_alias_of(weights.at("shared.tail")));
}

TEST_P(PthFormats, EveryShorterFileIsRefused) {
  const std::string whole = testing::bytes_of(golden_file(GetParam()));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_THROW(read_pth(as_bytes(whole).first(n), "x.pth"), Error) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Pth, PthFormats, ::testing::Values("weights_zip.pth", "weights_legacy.pth"));

class PthMalicious : public ::testing::TestWithParam<const char*> {};

TEST_P(PthMalicious, IsRefusedByNameAndNothingIsExecuted) {
  const Error e = error_in([&] { Weights::open(golden_file(GetParam())); });
  EXPECT_EQ(e.code(), ErrorCode::unsupported);
  EXPECT_EQ(e.message(),
            "this file holds a Python object of class posix.system; kindling reads tensors, dicts, lists, "
            "numbers and strings only");
  EXPECT_THAT(e.hint(), HasSubstr("torch.save(model.state_dict()"));
  EXPECT_EQ(e.fact("path"), golden_file(GetParam()).string());
  EXPECT_FALSE(e.fact("offset").empty());
  EXPECT_FALSE(fs::exists("kindling_pickle_was_executed"));
}

INSTANTIATE_TEST_SUITE_P(Pth, PthMalicious,
                         ::testing::Values("weights_malicious.pth", "weights_malicious_legacy.pth"));

TEST(PthReader, RefusesAWholeModuleByItsClass) {
  const Error e = error_in([] { Weights::open(golden_file("weights_whole_module.pth")); });
  EXPECT_EQ(e.code(), ErrorCode::unsupported);
  EXPECT_THAT(e.message(), HasSubstr("torch.nn.modules.container.Sequential"));
}

TEST(PthReader, RefusesATorchScriptProgram) {
  const Error e = error_in([] { Weights::open(golden_file("weights_torchscript.pt")); });
  EXPECT_EQ(e.code(), ErrorCode::unsupported);
  EXPECT_THAT(e.message(), HasSubstr("TorchScript"));
}

TEST(PthReader, NamesTheDictsItCannotChooseFrom) {
  const Error e = error_in([] { Weights::open(golden_file("weights_ambiguous.pth")); });
  EXPECT_EQ(e.code(), ErrorCode::bad_weights);
  EXPECT_THAT(e.message(), HasSubstr("several dicts of tensors: a, b"));
  EXPECT_THAT(e.hint(), HasSubstr("['a']"));
}

TEST(PthReader, RefusesOtherFiles) {
  const testing::TemporaryFolder folder;
  const auto error = [&](const std::string& contents) {
    write_file(folder / "x", contents);
    return error_in([&] { Weights::open(folder / "x"); });
  };
  EXPECT_THAT(error("").message(), HasSubstr("neither a safetensors nor a PyTorch file"));
  EXPECT_THAT(error("<html>404</html>").message(), HasSubstr("neither a safetensors nor a PyTorch file"));
  const Error tar = error(std::string(257, 'a') + "ustar" + std::string(300, '\0'));
  EXPECT_EQ(tar.code(), ErrorCode::unsupported);
  EXPECT_THAT(tar.message(), HasSubstr("tar format"));
  EXPECT_THAT(error("PK\x03\x04 and then nothing").message(), HasSubstr("zip archive"));
  EXPECT_EQ(error_in([&] { Weights::open(folder / "missing.pth"); }).code(), ErrorCode::not_found);
}

// ---- pickles by hand; `legacy` puts one after the pre-zip format's head

std::string legacy(const std::string& state, const std::string& keys = "\x80\x02].") {
  using namespace std::string_literals;
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  const std::string protocol = "\x80\x02M\xe9\x03."s;
  const std::string info = "\x80\x02}U\rlittle_endian\x88s."s;
  return magic + protocol + info + state + keys;
}

Error legacy_error(const std::string& state) {
  const std::string file = legacy(state);
  return error_in([&] { read_pth(as_bytes(file), "x.pth"); });
}

TEST(Pickle, RefusesDamagedStreams) {
  using namespace std::string_literals;
  EXPECT_THAT(legacy_error("\x80\x02"s).message(), HasSubstr("damaged"));
  EXPECT_THAT(legacy_error("\x80\x07N."s).message(), HasSubstr("protocol is unknown"));
  EXPECT_THAT(legacy_error("0."s).message(), HasSubstr("empty stack"));
  EXPECT_THAT(legacy_error("NN."s).message(), HasSubstr("left over"));
  EXPECT_THAT(legacy_error("(."s).message(), HasSubstr("empty stack"));
  EXPECT_THAT(legacy_error("t."s).message(), HasSubstr("a mark is missing"));
  EXPECT_THAT(legacy_error("(Ku."s).message(), HasSubstr("damaged"));
  EXPECT_THAT(legacy_error("}(K\x01u."s).message(), HasSubstr("a key has no value"));
  EXPECT_THAT(legacy_error("NNa."s).message(), HasSubstr("not a list"));
  EXPECT_THAT(legacy_error("NNNs."s).message(), HasSubstr("not a dict"));
  EXPECT_THAT(legacy_error("h\x05."s).message(), HasSubstr("did not store"));
  EXPECT_THAT(legacy_error("N)R."s).message(), HasSubstr("not a function"));
  EXPECT_THAT(legacy_error("NNb."s).message(), HasSubstr("has none"));
  EXPECT_THAT(legacy_error("NQ."s).message(), HasSubstr("not a tuple"));
  EXPECT_THAT(legacy_error("X\xff\xff\xff\xff."s).message(), HasSubstr("ends early"));
  EXPECT_THAT(legacy_error("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s).message(), HasSubstr("ends early"));
}

TEST(Pickle, NamesAnUnknownOpcodeAndItsPlace) {
  const Error e = legacy_error("I1\n.");
  EXPECT_EQ(e.code(), ErrorCode::unsupported);
  EXPECT_THAT(e.message(), HasSubstr("opcode 0x49"));
  EXPECT_EQ(e.fact("offset"), std::to_string(legacy("").size() - 4));
}

TEST(Pickle, NamesEveryWayToReachAClass) {
  for (const std::string pickle : {"cbuiltins\neval\n.", "(ibuiltins\neval\n.",
                                   "\x8c\x08"
                                   "builtins\x8c\x04"
                                   "eval\x93."}) {
    const Error e = legacy_error(pickle);
    EXPECT_EQ(e.code(), ErrorCode::unsupported);
    EXPECT_THAT(e.message(), HasSubstr("class builtins.eval;"));
  }
}

TEST(Pickle, AClassesNameCannotSteerTheTerminal) {
  const Error e = legacy_error("cx\nev\x1b[2Jil" + std::string(5000, 'a') + "\n.");
  EXPECT_THAT(e.message(), HasSubstr("x.ev?[2Jil"));
  EXPECT_LT(e.message().size(), 400u);
}

TEST(Pickle, ReadsAListThatHoldsItself) {
  using namespace std::string_literals;
  EXPECT_THAT(legacy_error("]q\x00h\x00"
                           "a."s)
                  .message(),
              HasSubstr("does not hold a dict of tensors"));
  EXPECT_THAT(legacy_error("}q\x00U\x05model"s + "h\x00s."s).message(), HasSubstr("no dict with tensors"));
}

TEST(Pickle, LimitsWhatAFewBytesCanAskFor) {
  // A list of 4000 pairs, made into an OrderedDict 10 000 times.
  using namespace std::string_literals;
  std::string pickle = "ccollections\nOrderedDict\nq\x01](";
  for (int i = 0; i < 4000; ++i) pickle += "NN\x86";
  pickle += "e\x85q\x02";
  for (int i = 0; i < 10000; ++i) pickle += "0h\x01h\x02R";
  EXPECT_THAT(legacy_error(pickle + ".").message(), HasSubstr("too many references"));
}

/// The bytes of a pre-zip file with one tensor "a" of one storage of four floats.
std::string one_tensor(const std::string& offset, const std::string& sizes, const std::string& strides,
                       const std::string& view = "N", const std::string& type = "FloatStorage",
                       int item = 4) {
  using namespace std::string_literals;
  const std::string storage = "(U\x07storagectorch\n" + type +
                              "\nU\x01kU\x03"
                              "cpuK\x04" +
                              view + "tQ";
  const std::string state =
      "\x80\x02}U\x01"
      "actorch._utils\n_rebuild_tensor_v2\n(" +
      storage + offset + sizes + strides + "\x89}tRs.";
  std::string data(8, '\0');
  data[0] = 4;
  for (int i = 0; i < 4 * item; ++i) data += static_cast<char>(i);
  return legacy(state, "\x80\x02]U\x01ka." + data);
}

std::string tensor_error(const std::string& file) {
  return error_in([&] { read_pth(as_bytes(file), "x.pth"); }).message();
}

TEST(PthTensor, ReadsTheHandMadeFile) {
  using namespace std::string_literals;
  const std::string file = one_tensor("K\x01", "K\x03\x85", "K\x01\x85");
  const auto weights = read_pth(as_bytes(file), "x.pth");
  EXPECT_EQ(weights.at("a").sizes(), (std::vector<std::int64_t>{3}));
  EXPECT_EQ(weights.at("a").storage_offset(), 1);
}

TEST(PthTensor, MustLieInItsStorage) {
  using namespace std::string_literals;
  EXPECT_THAT(tensor_error(one_tensor("K\x02", "K\x03\x85", "K\x01\x85")), HasSubstr("beyond its storage"));
  EXPECT_THAT(tensor_error(one_tensor("K\x05", "K\x00\x85"s, "K\x01\x85")), HasSubstr("starts outside"));
  EXPECT_THAT(tensor_error(one_tensor("J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85")),
              HasSubstr("starts outside"));
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "J\xff\xff\xff\xff\x85", "K\x01\x85")),
              HasSubstr("negative or overflow"));
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "K\x02\x85", "J\xff\xff\xff\xff\x85")),
              HasSubstr("negative or overflow"));
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, huge + "\x85", huge + "\x85")),
              HasSubstr("negative or overflow"));
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, huge + "\x85", "K\x00\x85"s)),
              HasSubstr("negative or overflow"));
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "K\x01\x85", ")")), HasSubstr("not what they must be"));
}

TEST(PthTensor, RepeatsOnlySoManyElements) {
  using namespace std::string_literals;
  const std::string file = one_tensor("K\x00"s, "J\xff\xff\xff\x7f\x85", "K\x00\x85"s);
  EXPECT_THAT(tensor_error(file), HasSubstr("repeated too often"));
}

TEST(PthTensor, AViewOfAStorageHasItsOwnBounds) {
  using namespace std::string_literals;
  const std::string view = "U\x01vK\x01K\x02\x87";
  const std::string good = one_tensor("K\x00"s, "K\x02\x85", "K\x01\x85", view);
  const auto weights = read_pth(as_bytes(good), "x.pth");
  EXPECT_EQ(weights.at("a").storage_offset(), 1);
  EXPECT_THAT(tensor_error(one_tensor("K\x01", "K\x02\x85", "K\x01\x85", view)),
              HasSubstr("beyond its storage"));
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "K\x02\x85", "K\x01\x85", "U\x01vK\x03K\x02\x87")),
              HasSubstr("a view outside its storage"));
}

TEST(PthTensor, RefusesABoolThatIsNeither) {
  using namespace std::string_literals;
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "K\x04\x85", "K\x01\x85", "N", "BoolStorage", 1)),
              HasSubstr("neither 0 nor 1"));
}

TEST(PthTensor, RefusesAStorageOfComplexNumbersByName) {
  using namespace std::string_literals;
  EXPECT_THAT(tensor_error(one_tensor("K\x00"s, "K\x04\x85", "K\x01\x85", "N", "ComplexFloatStorage", 8)),
              HasSubstr("torch.ComplexFloatStorage"));
}

TEST(PthReader, NeedsTheNumbersOfEveryTensor) {
  using namespace std::string_literals;
  std::string file = one_tensor("K\x00"s, "K\x04\x85", "K\x01\x85");
  const std::string keys = "\x80\x02]U\x01ka.";
  file.resize(file.find(keys));
  EXPECT_THAT(tensor_error(file + "\x80\x02]."), HasSubstr("numbers of a tensor are missing"));
  EXPECT_THAT(tensor_error(file + "\x80\x02]U\x01za."s + std::string(24, '\0')), HasSubstr("no tensor uses"));
  EXPECT_THAT(tensor_error(file + keys + std::string(24, '\0')), HasSubstr("another size"));
}

TEST(PthReader, FindsAChangedByteOfAZipByItsChecksum) {
  std::string file = testing::bytes_of(golden_file("weights_zip.pth"));
  const auto weights = read_pth(as_bytes(file), "x.pth");
  const auto value = weights.at("f32").contiguous();
  const std::string raw(static_cast<const char*>(value.const_data_ptr()), value.nbytes());
  const auto at = file.find(raw);
  ASSERT_NE(at, std::string::npos);
  file[at] = static_cast<char>(file[at] ^ 1);
  EXPECT_THAT(tensor_error(file), HasSubstr("zip archive is damaged"));
}

}  // namespace
}  // namespace kindling
