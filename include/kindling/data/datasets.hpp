#pragma once
/// Data sets by name: fastai's table, the cache, and unpacking that can be trusted.
///
///   fs::path path = untar_data(urls::pets) / "images";     // fetched once, then found
///
/// The archives are those that fast.ai keeps for its course; who made the data and what may be done with it stands
/// with each.

#include <kindling/core/archive.hpp>
#include <kindling/core/listener.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kindling {

/// One row of the table.
struct DataUrl {
  std::string_view name;  ///< "pets"
  std::string_view url;
  std::uint64_t bytes = 0;     ///< of the archive; 0: not known
  std::string_view md5_start;  ///< of the archive's first MiB; empty: not known
  std::string_view about;
};

namespace detail {

// Sizes and checksums are those of fastai 2.8's `checks.txt`.
inline constexpr std::array<DataUrl, 43> data_urls{{
    {"pets", "https://s3.amazonaws.com/fast-ai-imageclas/oxford-iiit-pet.tgz", 811706944,
     "e4db5c768afd933bb91f5f594d7417a4", "Oxford-IIIT Pet: 37 breeds of cats and dogs"},
    {"mnist_sample", "https://s3.amazonaws.com/fast-ai-sample/mnist_sample.tgz", 3214948,
     "2dbc7ec6f9259b583af0072c55816a88", "MNIST: threes and sevens"},
    {"mnist_tiny", "https://s3.amazonaws.com/fast-ai-sample/mnist_tiny.tgz", 342207,
     "56143e8f24db90d925d82a5a74141875", "MNIST: 1,400 threes and sevens"},
    {"mnist", "https://s3.amazonaws.com/fast-ai-imageclas/mnist_png.tgz", 15683414,
     "03639f83c4e3d19e0a3a53a8a997c487", "MNIST: handwritten digits"},
    {"mnist_var_size_tiny", "https://s3.amazonaws.com/fast-ai-imageclas/mnist_var_size_tiny.tgz", 565372,
     "b71a930f4eb744a4a143a6c7ff7ed67f", "MNIST: digits of several sizes"},
    {"camvid_tiny", "https://s3.amazonaws.com/fast-ai-sample/camvid_tiny.tgz", 2314212,
     "2cf6daf91b7a2083ecfa3e9968e9d915", "CamVid: 100 street scenes with masks"},
    {"camvid", "https://s3.amazonaws.com/fast-ai-imagelocal/camvid.tgz", 598913237,
     "648371e4f3a833682afb39b08a3ce2aa", "CamVid: street scenes with masks"},
    {"adult_sample", "https://s3.amazonaws.com/fast-ai-sample/adult_sample.tgz", 968212,
     "64eb9d7e23732de0b138f7372d15492f", "Adult: incomes, a table"},
    {"ml_sample", "https://s3.amazonaws.com/fast-ai-sample/movie_lens_sample.tgz", 51790,
     "10961384dfe7c5181460390a460c1f77", "MovieLens: a small sample of ratings"},
    {"ml_100k", "https://files.grouplens.org/datasets/movielens/ml-100k.zip", 0,
     "", "MovieLens: 100,000 ratings"},
    {"imdb", "https://s3.amazonaws.com/fast-ai-nlp/imdb.tgz", 144440600,
     "90f9b1c4ff43a90d67553c9240dc0249", "IMDb: film reviews"},
    {"imdb_sample", "https://s3.amazonaws.com/fast-ai-sample/imdb_sample.tgz", 571827,
     "0842e61a9867caa2e6fbdb14fa703d61", "IMDb: 1,000 film reviews"},
    {"human_numbers", "https://s3.amazonaws.com/fast-ai-sample/human_numbers.tgz", 30252,
     "8a19c3bfa2bcb08cd787e741261f3ea2", "numbers written in English"},
    {"wikitext_tiny", "https://s3.amazonaws.com/fast-ai-nlp/wikitext-2.tgz", 4070055,
     "2a82d47a7b85c8b6a8e068dc4c1d37e7", "WikiText-2"},
    {"wikitext", "https://s3.amazonaws.com/fast-ai-nlp/wikitext-103.tgz", 190200704,
     "2dd8cf8693b3d27e9c8f0a7df054b2c7", "WikiText-103"},
    {"wt103_fwd", "https://s3.amazonaws.com/fast-ai-modelzoo/wt103-fwd.tgz", 0,
     "", "language model trained on WikiText-103"},
    {"wt103_bwd", "https://s3.amazonaws.com/fast-ai-modelzoo/wt103-bwd.tgz", 0,
     "", "the same, backwards"},
    {"planet_sample", "https://s3.amazonaws.com/fast-ai-sample/planet_sample.tgz", 15523994,
     "8bfb174b3162f07fbde09b54555bdb00", "satellite photos with several labels"},
    {"planet_tiny", "https://s3.amazonaws.com/fast-ai-sample/planet_tiny.tgz", 997569,
     "490873c5683454d4b2611fb1f00a68a9", "the same, a few"},
    {"pascal_2007", "https://s3.amazonaws.com/fast-ai-imagelocal/pascal_2007.tgz", 1637796771,
     "433b4706eb7c42bd74e7f784e3fdf244", "PASCAL VOC 2007: photos with boxes"},
    {"pascal_2012", "https://s3.amazonaws.com/fast-ai-imagelocal/pascal_2012.tgz", 2618908000,
     "d90e29e54a4c76c0c6fba8355dcbaca5", "PASCAL VOC 2012: photos with boxes"},
    {"biwi_head_pose", "https://s3.amazonaws.com/fast-ai-imagelocal/biwi_head_pose.tgz", 452316199,
     "00f4ccf66e8cba184bc292fdc08fb237", "Biwi: where heads look"},
    {"biwi_sample", "https://s3.amazonaws.com/fast-ai-sample/biwi_sample.tgz", 593774,
     "9179f4c1435f4b291f0d5b072d60c2c9", "the same, 200 photos"},
    {"cifar", "https://s3.amazonaws.com/fast-ai-sample/cifar10.tgz", 168168549,
     "a5f8c31371b63a406b23368042812d3c", "CIFAR-10"},
    {"cifar_100", "https://s3.amazonaws.com/fast-ai-imageclas/cifar100.tgz", 169168619,
     "e5e65dcb54b9d3913f7b8a9ad6607e62", "CIFAR-100"},
    {"imagenette", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz", 1557161267,
     "2c774ecb40005b35d7937d50f5d42336", "ten easy classes of ImageNet"},
    {"imagenette_160", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz", 99003388,
     "c475f8f7617a200ba35b9facc48443c3", "the same, 160 pixels"},
    {"imagenette_320", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz", 341663724,
     "1f1f74f133caff120e575856659b87a2", "the same, 320 pixels"},
    {"imagewoof", "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2.tgz", 1343715595,
     "2cc1c1e36e20cb6fd24ffb978edcb487", "ten breeds of dogs of ImageNet"},
    {"imagewoof_160", "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-160.tgz", 92612825,
     "3559b194123981a540b87132dbda412f", "the same, 160 pixels"},
    {"imagewoof_320", "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-320.tgz", 328387740,
     "7a1fd92672a559a85de76e4810a20c21", "the same, 320 pixels"},
    {"dogs", "https://s3.amazonaws.com/fast-ai-sample/dogscats.tgz", 839285364,
     "3e483c8d6ef2175e9d395a6027eb92b7", "dogs and cats"},
    {"flowers", "https://s3.amazonaws.com/fast-ai-imageclas/oxford-102-flowers.tgz", 345236087,
     "5666e01c1311b4c67fcf20d2b3850a88", "Oxford 102 Flowers"},
    {"food", "https://s3.amazonaws.com/fast-ai-imageclas/food-101.tgz", 5686607260,
     "1a540ebf1fb40b2bf3f2294234ba7907", "Food-101"},
    {"cars", "https://s3.amazonaws.com/fast-ai-imageclas/stanford-cars.tgz", 1957803273,
     "9045d6673c9ced0889f41816f6bf2f9f", "Stanford Cars"},
    {"birds", "https://s3.amazonaws.com/fast-ai-imageclas/CUB_200_2011.tgz", 1150585339,
     "d2acaa99439dff0483c7bbac1bfe2a92", "Caltech-UCSD Birds 200"},
    {"caltech_101", "https://s3.amazonaws.com/fast-ai-imageclas/caltech_101.tgz", 131740031,
     "d673425306e98ee4619fcdeef8a0e876", "Caltech 101"},
    {"coco_tiny", "https://s3.amazonaws.com/fast-ai-coco/coco_tiny.tgz", 801038,
     "367467451ac4fba79a647753c2c66d3a", "COCO: a few photos with boxes"},
    {"coco_sample", "https://s3.amazonaws.com/fast-ai-coco/coco_sample.tgz", 3245877008,
     "006cd55d633d94b36ecaf661467830ec", "COCO: photos with boxes"},
    {"ag_news", "https://s3.amazonaws.com/fast-ai-nlp/ag_news_csv.tgz", 11784419,
     "b86f328f4dbd072486591cb7a5644dcd", "AG News"},
    {"yelp_reviews", "https://s3.amazonaws.com/fast-ai-nlp/yelp_review_full_csv.tgz", 196146755,
     "1efd84215ea3e30d90e4c33764b889db", "Yelp reviews, one to five stars"},
    {"yelp_reviews_polarity", "https://s3.amazonaws.com/fast-ai-nlp/yelp_review_polarity_csv.tgz", 166373201,
     "48c8451c1ad30472334d856b5d294807", "Yelp reviews, good or bad"},
    {"dbpedia", "https://s3.amazonaws.com/fast-ai-nlp/dbpedia_csv.tgz", 68341743,
     "239c7837b9e79db34486f3de6a00e38e", "DBpedia: 14 kinds of articles"},
}};

consteval DataUrl data_url(std::string_view name) {
  for (const DataUrl& entry : data_urls) {
    if (entry.name == name) return entry;
  }
  throw "there is no such data set";
}

}  // namespace detail

/// fastai's `URLs`.
namespace urls {

inline constexpr DataUrl pets = detail::data_url("pets");
inline constexpr DataUrl mnist_sample = detail::data_url("mnist_sample");
inline constexpr DataUrl mnist_tiny = detail::data_url("mnist_tiny");
inline constexpr DataUrl mnist = detail::data_url("mnist");
inline constexpr DataUrl mnist_var_size_tiny = detail::data_url("mnist_var_size_tiny");
inline constexpr DataUrl camvid_tiny = detail::data_url("camvid_tiny");
inline constexpr DataUrl camvid = detail::data_url("camvid");
inline constexpr DataUrl adult_sample = detail::data_url("adult_sample");
inline constexpr DataUrl ml_sample = detail::data_url("ml_sample");
inline constexpr DataUrl ml_100k = detail::data_url("ml_100k");
inline constexpr DataUrl imdb = detail::data_url("imdb");
inline constexpr DataUrl imdb_sample = detail::data_url("imdb_sample");
inline constexpr DataUrl human_numbers = detail::data_url("human_numbers");
inline constexpr DataUrl wikitext_tiny = detail::data_url("wikitext_tiny");
inline constexpr DataUrl wikitext = detail::data_url("wikitext");
inline constexpr DataUrl wt103_fwd = detail::data_url("wt103_fwd");
inline constexpr DataUrl wt103_bwd = detail::data_url("wt103_bwd");
inline constexpr DataUrl planet_sample = detail::data_url("planet_sample");
inline constexpr DataUrl planet_tiny = detail::data_url("planet_tiny");
inline constexpr DataUrl pascal_2007 = detail::data_url("pascal_2007");
inline constexpr DataUrl pascal_2012 = detail::data_url("pascal_2012");
inline constexpr DataUrl biwi_head_pose = detail::data_url("biwi_head_pose");
inline constexpr DataUrl biwi_sample = detail::data_url("biwi_sample");
inline constexpr DataUrl cifar = detail::data_url("cifar");
inline constexpr DataUrl cifar_100 = detail::data_url("cifar_100");
inline constexpr DataUrl imagenette = detail::data_url("imagenette");
inline constexpr DataUrl imagenette_160 = detail::data_url("imagenette_160");
inline constexpr DataUrl imagenette_320 = detail::data_url("imagenette_320");
inline constexpr DataUrl imagewoof = detail::data_url("imagewoof");
inline constexpr DataUrl imagewoof_160 = detail::data_url("imagewoof_160");
inline constexpr DataUrl imagewoof_320 = detail::data_url("imagewoof_320");
inline constexpr DataUrl dogs = detail::data_url("dogs");
inline constexpr DataUrl flowers = detail::data_url("flowers");
inline constexpr DataUrl food = detail::data_url("food");
inline constexpr DataUrl cars = detail::data_url("cars");
inline constexpr DataUrl birds = detail::data_url("birds");
inline constexpr DataUrl caltech_101 = detail::data_url("caltech_101");
inline constexpr DataUrl coco_tiny = detail::data_url("coco_tiny");
inline constexpr DataUrl coco_sample = detail::data_url("coco_sample");
inline constexpr DataUrl ag_news = detail::data_url("ag_news");
inline constexpr DataUrl yelp_reviews = detail::data_url("yelp_reviews");
inline constexpr DataUrl yelp_reviews_polarity = detail::data_url("yelp_reviews_polarity");
inline constexpr DataUrl dbpedia = detail::data_url("dbpedia");

}  // namespace urls

struct UntarOptions {
  fs::path archive = {};  ///< folder for the archive; empty: `$KINDLING_HOME/archive`
  fs::path data = {};     ///< folder that the data set's folder lies in; empty: `$KINDLING_HOME/data`
  /// Fetches and unpacks again, and replaces the data set's folder with all that is in it.
  bool force_download = false;
  std::string sha256 = "";  ///< expected digest of the archive; empty: only the table's check
  ExtractOptions extract = {};
  std::shared_ptr<Listener> listener = silent_listener();
};

/// The folder of a data set: found where it was unpacked before, else downloaded, checked and unpacked. An archive
/// with one folder in it becomes that folder under the archive's name. `KINDLING_MIRROR` is asked first, and
/// `KINDLING_OFFLINE` forbids the network, as for weights. A broken-off download goes on where it stopped. Throws
/// what `download` and `extract_archive` throw; then nothing has changed. (fastai `untar_data`.)
fs::path untar_data(const DataUrl& url, const UntarOptions& options = {});
/// Any other address (http, https or file) of a .tgz, .tar.gz, .tar.bz2, .tar.xz, .tar or .zip; one in the table is
/// checked as such.
fs::path untar_data(const std::string& url, const UntarOptions& options = {});

/// Where `untar_data` would put it, whether it is there or not.
fs::path data_path(const DataUrl& url, const UntarOptions& options = {});
/// By name. Throws `not_found` with near names.
const DataUrl& find_data_url(const std::string& name);

}  // namespace kindling
