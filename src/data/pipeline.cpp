#include <kindling/data/categories.hpp>
#include <kindling/data/mask_codes.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/pipeline.hpp>
#include <kindling/data/points.hpp>
#include <kindling/data/regression.hpp>

#include "data/boxes.hpp"
#include "data/maker_registry.hpp"
#include "core/seconds_since.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

Size first_image_size(const Values& item) {
  for (const Value& member : item) {
    if (auto* image = std::get_if<Image>(&member)) return image->size();
  }
  return {};
}

/// Of the first pictures of a batch.
Size batch_image_size(const Values& batch) {
  for (const Value& member : batch) {
    auto* images = std::get_if<TensorImage>(&member);
    if (images && images->tensor.dim() == 4) {
      return {static_cast<int>(images->tensor.size(3)), static_cast<int>(images->tensor.size(2))};
    }
  }
  return {};
}

template <class T>
void register_from_json() {
  register_transform(T::name, [](const Json& j) { return Transform(T::from_json(j)); });
}

/// Transforms of the data layer itself, known to every export.
void register_builtin() {
  [[maybe_unused]] static const bool once = [] {
    register_from_json<Categorize>();
    register_from_json<MultiCategorize>();
    register_from_json<OneHotEncode>();
    register_from_json<EncodedMultiCategorize>();
    register_from_json<RegressionSetup>();
    register_from_json<MaskCodes>();
    register_from_json<ToPoints>();
    register_from_json<FitsPicture>();
    register_from_json<Normalize>();
    register_transform(ToBoxes::name, [](const Json&) { return Transform(ToBoxes{}); });
    register_transform(PointScaler::name, [](const Json&) { return Transform(PointScaler{}); });
    register_transform(IntToFloatTensor::name, [](const Json&) { return Transform(IntToFloatTensor{}); });
    return true;
  }();
}

Json list_to_json(const Transforms& tfms) {
  Json list = Json::array();
  for (const Transform& t : tfms) list.push_back(t.to_json());
  return list;
}

Transforms list_from_json(const Json& list) {
  Transforms tfms;
  for (const Json& t : list) tfms.push_back(transform_from_json(t));
  return tfms;
}

using EncoderRegistry = detail::MakerRegistry<std::shared_ptr<const BatchEncoder>>;

std::shared_ptr<const BatchEncoder> encoder_from_json(const Json& json) {
  const auto name = json.at("name").get<std::string>();
  if (const auto make = EncoderRegistry::instance().find(name)) return make(json);
  throw Error(ErrorCode::not_found, "the pipeline has an encoder that is not known", {{"name", name}},
              "include the header of its application (kindling/tabular.hpp for tables), or register_batch_encoder a "
              "function that makes it");
}

constexpr std::pair<TargetKind, std::string_view> target_names[] = {
    {TargetKind::none, "none"},     {TargetKind::category, "category"}, {TargetKind::categories, "categories"},
    {TargetKind::number, "number"}, {TargetKind::points, "points"},     {TargetKind::mask, "mask"},
    {TargetKind::boxes, "boxes"},   {TargetKind::other, "other"}};

std::string_view name_of(TargetKind kind) {
  for (const auto& [known, name] : target_names) {
    if (known == kind) return name;
  }
  return "other";
}

TargetKind target_from(const std::string& name) {
  for (const auto& [kind, known] : target_names) {
    if (name == known) return kind;
  }
  throw Error(ErrorCode::bad_model, "the pipeline has an unknown kind of target", {{"target", name}},
              "the file may come from a newer kindling");
}

/// N x H x W x C, uint8.
template <class Kind, class ImageOf>
torch::Tensor stack_pixels(const std::vector<Values>& items, std::size_t member, const char* what, ImageOf image_of) {
  const Image& first = image_of(std::get<Kind>(items[0][member]));
  auto stacked =
      torch::empty({static_cast<std::int64_t>(items.size()), first.height(), first.width(), first.channels()},
                   torch::kUInt8);
  auto* out = stacked.data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Image& image = image_of(std::get<Kind>(items[i][member]));
    if (image.size() != first.size() || image.channels() != first.channels()) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("{} of different sizes cannot be one batch: item 0 of it is {}, item {} is {}", what,
                      describe(items[0][member]), i, describe(items[i][member])),
          {}, fmt::format("give item_tfms a Resize, so that all {} are of one size", what));
    }
    std::memcpy(out + i * image.bytes(), image.data(), image.bytes());
  }
  return stacked;
}

Value collate_images(const std::vector<Values>& items, std::size_t member) {
  // N x H x W x C seen as N x C x H x W: channels last, without a copy.
  return TensorImage{stack_pixels<Image>(items, member, "pictures", [](const Image& i) -> const Image& {
                       return i;
                     }).permute({0, 3, 1, 2})};
}

Value collate_masks(const std::vector<Values>& items, std::size_t member) {
  return TensorMask{stack_pixels<Mask>(items, member, "masks", [](const Mask& m) -> const Image& {
                      return m.image;
                    }).squeeze(3)};
}

template <class Kind, class Get>
torch::Tensor collate_scalars(const std::vector<Values>& items, std::size_t member, torch::ScalarType dtype,
                              Get get) {
  auto stacked = torch::empty({static_cast<std::int64_t>(items.size())}, torch::kFloat64);
  auto out = stacked.accessor<double, 1>();
  for (std::size_t i = 0; i < items.size(); ++i) out[i] = get(std::get<Kind>(items[i][member]));
  return stacked.to(dtype);
}

Value collate_tensors(const std::vector<Values>& items, std::size_t member) {
  std::vector<torch::Tensor> tensors;
  for (std::size_t i = 0; i < items.size(); ++i) {
    tensors.push_back(tensor_of(items[i][member]));
    if (tensors.back().sizes() != tensors.front().sizes()) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("tensors of different shapes cannot be one batch: item 0 of it is {}, item {} is {}",
                      describe(items[0][member]), i, describe(items[i][member])),
          {}, "make all of one shape in get_x, get_y or a transform");
    }
  }
  return with_tensor(items[0][member], torch::stack(tensors));
}

/// Whether an item has what lies on its picture's pixels, so that the picture may not be decoded smaller.
bool lies_on_pixels(TargetKind target, const Values& raw) {
  return target == TargetKind::points || target == TargetKind::boxes || target == TargetKind::mask ||
         std::any_of(raw.begin(), raw.end(), [](const Value& v) {
           return std::holds_alternative<Points>(v) || std::holds_alternative<BBoxes>(v) ||
                  std::holds_alternative<Mask>(v);
         });
}

/// Boxes of each item, filled up with zeros to the most that an item has.
Value collate_boxes(const std::vector<Values>& items, std::size_t member) {
  std::int64_t most = 0;
  for (const Values& item : items) most = std::max(most, tensor_of(item[member]).size(0));
  auto filled = torch::zeros({static_cast<std::int64_t>(items.size()), most, 4});
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto boxes = tensor_of(items[i][member]);
    filled[static_cast<std::int64_t>(i)].narrow(0, 0, boxes.size(0)).copy_(boxes);
  }
  return TensorBBox{filled};
}

Value collate_class_lists(const std::vector<Values>& items, std::size_t member) {
  std::size_t most = 0;
  for (const Values& item : items) most = std::max(most, std::get<CategoryIndices>(item[member]).indices.size());
  auto filled =
      torch::zeros({static_cast<std::int64_t>(items.size()), static_cast<std::int64_t>(most)}, torch::kInt64);
  auto out = filled.accessor<std::int64_t, 2>();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& indices = std::get<CategoryIndices>(items[i][member]).indices;
    for (std::size_t k = 0; k < indices.size(); ++k) out[i][k] = indices[k];
  }
  return TensorMultiCategory{filled};
}

Value collate_member(const std::vector<Values>& items, std::size_t member) {
  const Value& first = items[0][member];
  for (std::size_t i = 1; i < items.size(); ++i) {
    if (items[i][member].index() == first.index()) continue;
    throw Error(ErrorCode::bad_data,
                fmt::format("a batch needs one kind of value: item 0 of it is {}, item {} is {}",
                            describe(first), i, describe(items[i][member])));
  }
  if (std::holds_alternative<Image>(first)) return collate_images(items, member);
  if (std::holds_alternative<Mask>(first)) return collate_masks(items, member);
  if (std::holds_alternative<TensorBBox>(first)) return collate_boxes(items, member);
  if (std::holds_alternative<CategoryIndices>(first)) return collate_class_lists(items, member);
  if (tensor_of(first).defined()) return collate_tensors(items, member);
  if (std::holds_alternative<CategoryIndex>(first)) {
    return TensorCategory{collate_scalars<CategoryIndex>(items, member, torch::kInt64,
                                                         [](CategoryIndex c) { return c.index; })};
  }
  if (std::holds_alternative<Number>(first)) {
    return collate_scalars<Number>(items, member, torch::kFloat32, [](Number n) { return n.value; });
  }
  throw Error(ErrorCode::bad_data, "a value of this kind cannot be part of a batch",
              {{"value", describe(first)}},
              "give the block transforms that make a tensor, a picture, a class or a number of it");
}

Image image_from(const torch::Tensor& chw) {
  auto hwc = chw.permute({1, 2, 0}).to(torch::kCPU, torch::kUInt8).contiguous();
  Image image({static_cast<int>(hwc.size(1)), static_cast<int>(hwc.size(0))}, static_cast<int>(hwc.size(2)));
  std::memcpy(image.data(), hwc.data_ptr(), image.bytes());
  return image;
}

Value take_item(const Value& batch, std::int64_t i) {
  if (auto* image = std::get_if<TensorImage>(&batch)) return image_from(image->tensor[i]);
  if (auto* category = std::get_if<TensorCategory>(&batch)) {
    return CategoryIndex{category->tensor[i].item<std::int64_t>()};
  }
  auto tensor = tensor_of(batch)[i];
  if (std::holds_alternative<TensorMask>(batch)) return Mask{image_from(tensor.unsqueeze(0))};
  if (!std::holds_alternative<torch::Tensor>(batch)) return with_tensor(batch, tensor.cpu());
  if (tensor.dim() == 0) return Number{tensor.item<double>()};
  return tensor;
}

/// Runs a transform over members and adds the time it took to its name.
class Timed {
 public:
  Timed(const Transform& t, StageTimes& times) : name_(t.name()), times_(times) {}
  ~Timed() {
    times_[name_] += detail::seconds_since(start_);
  }

 private:
  std::string name_;
  StageTimes& times_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void encode_blocks(const Pipeline& p, Values& item, ItemContext context, StageTimes& times) {
  if (!lies_on_pixels(p.target, item)) {
    context.reduction = [&p](Size size) { return p.item_tfms.empty() ? 1 : p.item_tfms.front().reduction(size); };
  }
  for (std::size_t b = 0; b < item.size() && b < p.blocks.size(); ++b) {
    for (const Transform& t : p.blocks[b]) {
      const Timed timed(t, times);
      item[b] = t.encode(item[b], context);
    }
  }
}

/// Item transforms number `first` up to `last`.
void encode_item_tfms(const Pipeline& p, std::size_t first, std::size_t last, Values& item, ItemContext context,
                      StageTimes& times) {
  for (std::size_t i = first; i < last; ++i) {
    const Transform& t = p.item_tfms[i];
    const Timed timed(t, times);
    context.image_size = first_image_size(item);
    context.transform = static_cast<int>(i) + 1;
    for (Value& member : item) member = t.encode(member, context);
  }
}

/// How many item transforms from the first on are equal in every epoch.
std::size_t n_kept(const Pipeline& p, Split split) {
  const auto first_random =
      std::ranges::find_if(p.item_tfms, [&](const Transform& t) { return !t.deterministic(split); });
  return static_cast<std::size_t>(first_random - p.item_tfms.begin());
}

}  // namespace

void register_batch_encoder(const std::string& name,
                            std::function<std::shared_ptr<const BatchEncoder>(const Json&)> make) {
  EncoderRegistry::instance().add(name, std::move(make));
}

void Pipeline::setup(const std::vector<Values>& train_items) {
  const auto learns = [](const Transform& t) { return t.needs_setup(); };
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    // Each transform learns from items that the ones before it have processed.
    auto last = std::find_if(blocks[b].rbegin(), blocks[b].rend(), learns).base();
    std::vector<Value> members;
    if (last != blocks[b].begin()) {
      for (const Values& item : train_items) members.push_back(item.at(b));
    }
    for (auto t = blocks[b].begin(); t != last; ++t) {
      if (t->needs_setup()) *t = t->with_setup(members);
      if (t + 1 == last) break;
      for (std::size_t i = 0; i < members.size(); ++i) {
        try {
          members[i] = t->encode(members[i], {.split = Split::train});
        } catch (Error& e) {
          throw e.with("training item", i);
        }
      }
    }
  }
}

Values Pipeline::encode_item(Values raw, ItemContext context) const {
  StageTimes times;
  return encode_rest(encode_kept(std::move(raw), context, times), context, times);
}

bool Pipeline::keeps(Split split) const {
  const auto deterministic = [&](const Transform& t) { return t.deterministic(split); };
  return std::ranges::all_of(blocks, [&](const Transforms& tfms) { return std::ranges::all_of(tfms, deterministic); });
}

Values Pipeline::encode_kept(Values raw, ItemContext context, StageTimes& times) const {
  if (!keeps(context.split)) return raw;
  encode_blocks(*this, raw, context, times);
  encode_item_tfms(*this, 0, n_kept(*this, context.split), raw, context, times);
  return raw;
}

Values Pipeline::encode_rest(Values kept, ItemContext context, StageTimes& times) const {
  const bool begun = keeps(context.split);
  if (!begun) encode_blocks(*this, kept, context, times);
  encode_item_tfms(*this, begun ? n_kept(*this, context.split) : 0, item_tfms.size(), kept, context, times);
  detail::check_box_labels(kept);
  return kept;
}

Values Pipeline::encode_batch(Values batch, ItemContext context, const torch::Device& device) const {
  for (Value& member : batch) {
    if (auto tensor = tensor_of(member); tensor.defined())
      member = with_tensor(member, tensor.to(device, tensor.scalar_type(), /*non_blocking=*/tensor.is_cpu()));
  }
  // Draws of batch transforms have keys of their own: far above the places of item transforms.
  context.transform = 1 << 16;
  for (const Transform& t : batch_tfms) {
    context.image_size = batch_image_size(batch);
    ++context.transform;
    for (Value& member : batch) member = t.encode(member, context);
  }
  return batch;
}

std::vector<Values> Pipeline::decode_batch(const Values& batch) const {
  Values decoded = batch;
  for (auto t = batch_tfms.rbegin(); t != batch_tfms.rend(); ++t) {
    for (Value& member : decoded) member = t->decode(member);
  }
  if (decoded.empty()) return {};
  if (encoder) return encoder->decode(decoded);
  std::vector<Values> items(tensor_of(decoded.front()).size(0));
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const Value& member : decoded) items[i].push_back(take_item(member, static_cast<std::int64_t>(i)));
    detail::strip_box_padding(items[i]);
    items[i] = decode_item(std::move(items[i]));
  }
  return items;
}

Values Pipeline::decode_item(Values item) const {
  const ItemContext context{.image_size = first_image_size(item)};
  for (auto t = item_tfms.rbegin(); t != item_tfms.rend(); ++t) {
    for (Value& member : item) member = t->decode(member, context);
  }
  for (std::size_t b = 0; b < item.size() && b < blocks.size(); ++b) {
    for (auto t = blocks[b].rbegin(); t != blocks[b].rend(); ++t) item[b] = t->decode(item[b], context);
  }
  return item;
}

std::vector<std::string> Pipeline::vocab() const {
  if (encoder) return encoder->vocab();
  for (std::size_t b = n_inp; b < blocks.size(); ++b) {
    for (const Transform& t : blocks[b]) {
      if (auto names = t.vocab()) return *names;
    }
  }
  return {};
}

int Pipeline::c() const {
  if (encoder) return encoder->c();
  for (std::size_t b = n_inp; b < blocks.size(); ++b) {
    for (auto t = blocks[b].rbegin(); t != blocks[b].rend(); ++t) {
      if (auto outputs = t->c()) return *outputs;
    }
  }
  return target == TargetKind::number ? 1 : 0;
}

Json Pipeline::to_json() const {
  Json block_list = Json::array();
  for (const Transforms& tfms : blocks) block_list.push_back(list_to_json(tfms));
  Json json = {{"blocks", block_list},
               {"item_tfms", list_to_json(item_tfms)},
               {"batch_tfms", list_to_json(batch_tfms)},
               {"n_inp", n_inp},
               {"target", std::string(name_of(target))}};
  if (encoder) {
    Json settings = {{"name", encoder->name()}};
    settings.update(encoder->to_json());
    json["encoder"] = std::move(settings);
  }
  return json;
}

Pipeline Pipeline::from_json(const Json& json) {
  register_builtin();
  Pipeline pipeline;
  try {
    for (const Json& tfms : json.at("blocks")) pipeline.blocks.push_back(list_from_json(tfms));
    pipeline.item_tfms = list_from_json(json.at("item_tfms"));
    pipeline.batch_tfms = list_from_json(json.at("batch_tfms"));
    pipeline.n_inp = json.at("n_inp").get<int>();
    pipeline.target = target_from(json.at("target").get<std::string>());
    if (json.contains("encoder")) pipeline.encoder = encoder_from_json(json["encoder"]);
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the pipeline in the manifest is not complete", {{"detail", e.what()}});
  }
  if (pipeline.n_inp < 1 || pipeline.n_inp > static_cast<int>(pipeline.blocks.size())) {
    throw Error(ErrorCode::bad_model, "the pipeline's number of inputs does not fit its blocks",
                {{"n_inp", pipeline.n_inp}, {"blocks", pipeline.blocks.size()}});
  }
  return pipeline;
}

Values collate(const std::vector<Values>& given) {
  Values batch;
  if (given.empty()) return batch;
  const std::vector<Values> clipped = detail::clip_boxes(given);
  const std::vector<Values>& items = clipped.empty() ? given : clipped;
  for (std::size_t member = 0; member < items[0].size(); ++member)
    batch.push_back(collate_member(items, member));
  return batch;
}

Batch to_batch(const Values& values, int n_inp) {
  Batch batch;
  for (std::size_t m = 0; m < values.size(); ++m) {
    (static_cast<int>(m) < n_inp ? batch.x : batch.y).push_back(tensor_of(values[m]));
  }
  return batch;
}

}  // namespace kindling
