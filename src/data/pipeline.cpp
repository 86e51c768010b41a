#include <kindling/data/categories.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/pipeline.hpp>

#include <algorithm>
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

/// Transforms of the data layer itself, known to every export.
void register_builtin() {
  [[maybe_unused]] static const bool once = [] {
    register_transform(Categorize::name, [](const Json& j) { return Transform(Categorize::from_json(j)); });
    register_transform(IntToFloatTensor::name, [](const Json&) { return Transform(IntToFloatTensor{}); });
    register_transform(Normalize::name, [](const Json& j) { return Transform(Normalize::from_json(j)); });
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

std::string_view name_of(TargetKind kind) {
  switch (kind) {
    case TargetKind::none:
      return "none";
    case TargetKind::category:
      return "category";
    case TargetKind::number:
      return "number";
    case TargetKind::other:
      break;
  }
  return "other";
}

TargetKind target_from(const std::string& name) {
  for (TargetKind kind : {TargetKind::none, TargetKind::category, TargetKind::number, TargetKind::other}) {
    if (name == name_of(kind)) return kind;
  }
  throw Error(ErrorCode::bad_model, "the pipeline has an unknown kind of target", {{"target", name}},
              "the file may come from a newer kindling");
}

Value collate_images(const std::vector<Values>& items, std::size_t member) {
  const Image& first = std::get<Image>(items[0][member]);
  auto stacked =
      torch::empty({static_cast<std::int64_t>(items.size()), first.height(), first.width(), first.channels()},
                   torch::kUInt8);
  auto* out = stacked.data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Image& image = std::get<Image>(items[i][member]);
    if (image.size() != first.size() || image.channels() != first.channels()) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("pictures of different sizes cannot be one batch: item 0 of it is {}, item {} is {}",
                      describe(items[0][member]), i, describe(items[i][member])),
          {}, "give item_tfms a Resize, so that all pictures are of one size");
    }
    std::memcpy(out + i * image.bytes(), image.data(), image.bytes());
  }
  // N x H x W x C seen as N x C x H x W: channels last, without a copy.
  return TensorImage{stacked.permute({0, 3, 1, 2})};
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
    tensors.push_back(std::get<torch::Tensor>(items[i][member]));
    if (tensors.back().sizes() != tensors.front().sizes()) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("tensors of different shapes cannot be one batch: item 0 of it is {}, item {} is {}",
                      describe(items[0][member]), i, describe(items[i][member])),
          {}, "make all of one shape in get_x, get_y or a transform");
    }
  }
  return torch::stack(tensors);
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
  if (std::holds_alternative<torch::Tensor>(first)) return collate_tensors(items, member);
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
  if (tensor.dim() == 0) return Number{tensor.item<double>()};
  return tensor;
}

}  // namespace

void Pipeline::setup(const std::vector<Values>& train_items) {
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    // Each transform learns from items that the ones before it have processed.
    std::vector<Value> members;
    if (std::any_of(blocks[b].begin(), blocks[b].end(), [](const Transform& t) { return t.needs_setup(); })) {
      for (const Values& item : train_items) members.push_back(item.at(b));
    }
    for (Transform& t : blocks[b]) {
      if (t.needs_setup()) t = t.with_setup(members);
      for (Value& m : members) m = t.encode(m, {.split = Split::train});
    }
  }
}

Values Pipeline::encode_item(Values raw, ItemContext context) const {
  context.reduction = [this](Size size) { return item_tfms.empty() ? 1 : item_tfms.front().reduction(size); };
  for (std::size_t b = 0; b < raw.size() && b < blocks.size(); ++b) {
    for (const Transform& t : blocks[b]) raw[b] = t.encode(raw[b], context);
  }
  for (const Transform& t : item_tfms) {
    context.image_size = first_image_size(raw);
    ++context.transform;
    for (Value& member : raw) member = t.encode(member, context);
  }
  return raw;
}

Values Pipeline::encode_batch(Values batch, ItemContext context, const torch::Device& device) const {
  for (Value& member : batch) {
    if (auto* t = std::get_if<torch::Tensor>(&member))
      *t = t->to(device);
    else if (auto* image = std::get_if<TensorImage>(&member))
      image->tensor = image->tensor.to(device);
    else if (auto* category = std::get_if<TensorCategory>(&member))
      category->tensor = category->tensor.to(device);
  }
  // Draws of batch transforms have keys of their own: far above the places of item transforms.
  context.transform = 1 << 16;
  for (const Transform& t : batch_tfms) {
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
  std::vector<Values> items(tensor_of(decoded.front()).size(0));
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const Value& member : decoded) items[i].push_back(take_item(member, static_cast<std::int64_t>(i)));
    items[i] = decode_item(std::move(items[i]));
  }
  return items;
}

Values Pipeline::decode_item(Values item) const {
  for (auto t = item_tfms.rbegin(); t != item_tfms.rend(); ++t) {
    for (Value& member : item) member = t->decode(member);
  }
  for (std::size_t b = 0; b < item.size() && b < blocks.size(); ++b) {
    for (auto t = blocks[b].rbegin(); t != blocks[b].rend(); ++t) item[b] = t->decode(item[b]);
  }
  return item;
}

std::vector<std::string> Pipeline::vocab() const {
  for (std::size_t b = n_inp; b < blocks.size(); ++b) {
    for (const Transform& t : blocks[b]) {
      if (auto names = t.vocab()) return *names;
    }
  }
  return {};
}

Json Pipeline::to_json() const {
  Json block_list = Json::array();
  for (const Transforms& tfms : blocks) block_list.push_back(list_to_json(tfms));
  return {{"blocks", block_list},
          {"item_tfms", list_to_json(item_tfms)},
          {"batch_tfms", list_to_json(batch_tfms)},
          {"n_inp", n_inp},
          {"target", std::string(name_of(target))}};
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
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the pipeline in the manifest is not complete", {{"detail", e.what()}});
  }
  if (pipeline.n_inp < 1 || pipeline.n_inp > static_cast<int>(pipeline.blocks.size())) {
    throw Error(ErrorCode::bad_model, "the pipeline's number of inputs does not fit its blocks",
                {{"n_inp", pipeline.n_inp}, {"blocks", pipeline.blocks.size()}});
  }
  return pipeline;
}

Values collate(const std::vector<Values>& items) {
  Values batch;
  if (items.empty()) return batch;
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
