#include <kindling/vision/doctor.hpp>

#include <array>

#include <fmt/format.h>

namespace kindling {

namespace {

struct KindText {
  HealthKind kind;
  Severity severity;
  std::string_view name;
  std::string_view one;   ///< what one case is
  std::string_view many;  ///< what several are, after their number
  std::string_view advice;
};

constexpr auto error = Severity::error;
constexpr auto warning = Severity::warning;
constexpr auto note = Severity::note;
using enum HealthKind;

/// In the order of HealthKind.
constexpr std::array kinds = {
    KindText{unreadable, error, "unreadable", "file cannot be read", "files cannot be read",
             "look at the rights of the file and at the disk, or leave it out"},
    KindText{not_a_picture, error, "not_a_picture", "file is no picture", "files are no pictures",
             "download them again, or take them out; training leaves them out"},
    KindText{unsupported, error, "unsupported", "picture is of a format that is not read",
             "pictures are of a format that is not read",
             "convert them to JPEG or PNG; training leaves them out"},
    KindText{truncated, error, "truncated", "file ends early", "files end early",
             "copy or download them again; training leaves them out"},
    KindText{damaged, error, "damaged", "file cannot be decoded", "files cannot be decoded",
             "copy or download them again; training leaves them out"},
    KindText{two_labels, error, "two_labels", "photo has two labels", "photos have two labels",
             "keep the copy under the right label, and take the other away"},
    KindText{
        in_both_splits, error, "in_both_splits", "photo is in train and in valid",
        "photos are in train and in valid",
        "take the copies out: the model is tested on what it learnt by heart, and its figures are too good"},
    KindText{not_in_train, error, "not_in_train", "class has no training photo",
             "classes have no training photo", "add training photos of it, or take the class out"},
    KindText{one_class, error, "one_class", "class is all there is", "classes are all there is",
             "add photos of another class, or tell the labels in another way"},
    KindText{partly_damaged, warning, "partly_damaged", "photo is partly damaged",
             "photos are partly damaged",
             "look at them: rows may be grey or torn; copy or download them again"},
    KindText{similar_two_labels, warning, "similar_two_labels",
             "photo has a copy that looks the same under another label",
             "photos have copies that look the same under another label",
             "look at them, and keep one under the right label"},
    KindText{similar_in_both_splits, warning, "similar_in_both_splits",
             "photo in train has a copy in valid that looks the same",
             "photos in train have copies in valid that look the same",
             "look at them, and keep the copies on one side: they make the figures too good"},
    KindText{duplicate, warning, "duplicate", "photo is there more than once",
             "photos are there more than once", "take the copies out: they count more than the others"},
    KindText{no_label, warning, "no_label", "photo has no label", "photos have no label",
             "put them into the folder of a class, or add them to the table of labels"},
    KindText{label_typo, warning, "label_typo", "label looks like another one written wrongly",
             "labels look like others written wrongly",
             "rename it if both mean the same: the model takes them for two classes"},
    KindText{few_photos, warning, "few_photos", "class has very few photos", "classes have very few photos",
             "add photos, or leave the class out: so few can hardly be learnt"},
    KindText{imbalance, warning, "imbalance", "class is far larger than another",
             "classes are far larger than others",
             "add photos of the small class, and look at its errors apart from the others'"},
    KindText{not_in_valid, warning, "not_in_valid", "class has no validation photo",
             "classes have no validation photo",
             "add photos, or split in another way: its errors are not seen"},
    KindText{blank, warning, "blank", "picture is blank", "pictures are blank",
             "look at them: one colour all over shows nothing to learn"},
    KindText{narrow, warning, "narrow", "picture is very long and narrow",
             "pictures are very long and narrow",
             "cut out what matters, or bring it to a square by padding: a square crop sees little of it"},
    KindText{small, warning, "small", "picture is far smaller than the others",
             "pictures are far smaller than the others",
             "look at them: they may be thumbnails or icons, and are blurred when enlarged"},
    KindText{deep_grey, warning, "deep_grey", "grey picture has 16 bits", "grey pictures have 16 bits",
             "convert them to 8 bits with the range that matters: values above 255 become white"},
    KindText{similar, note, "similar", "photo has a copy that looks the same",
             "photos have copies that look the same", "they count more than the others"},
    KindText{wrong_extension, note, "wrong_extension", "picture is of another format than its name says",
             "pictures are of another format than their names say", "they are read by their content"},
    KindText{rotated, note, "rotated", "photo is stored lying or mirrored",
             "photos are stored lying or mirrored",
             "they are turned as EXIF says; programs that do not, see them lying"},
    KindText{large, note, "large", "picture is very large", "pictures are very large",
             "they load slowly; a resized copy of the data set trains faster"},
    KindText{greyscale, note, "greyscale", "picture is grey", "pictures are grey",
             "they are read as colour pictures without colour"},
    KindText{transparent, note, "transparent", "picture has transparency", "pictures have transparency",
             "it is dropped: what lies behind shows"},
    KindText{cmyk, note, "cmyk", "picture is in printing colours (CMYK)",
             "pictures are in printing colours (CMYK)", "they are converted without a colour profile"},
    KindText{sixteen_bit, note, "sixteen_bit", "colour picture has 16 bits", "colour pictures have 16 bits",
             "the upper 8 are used"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i].kind != static_cast<HealthKind>(i)) return false;
  }
  return true;
}
static_assert(in_order());

const KindText& text_of(HealthKind kind) {
  return kinds.at(static_cast<std::size_t>(kind));
}

}  // namespace

std::string_view name_of(Severity severity) {
  constexpr std::string_view names[] = {"error", "warning", "note"};
  return names[static_cast<std::size_t>(severity)];
}

std::string_view name_of(HealthKind kind) {
  return text_of(kind).name;
}

Severity severity_of(HealthKind kind) {
  return text_of(kind).severity;
}

std::string HealthFinding::what() const {
  const KindText& text = text_of(kind);
  return fmt::format("{} {}", cases.size(), cases.size() == 1 ? text.one : text.many);
}

std::string HealthFinding::advice() const {
  return std::string(text_of(kind).advice);
}

std::size_t HealthFinding::files() const {
  std::size_t n = 0;
  for (const HealthCase& c : cases) n += c.items.size();
  return n;
}

}  // namespace kindling
