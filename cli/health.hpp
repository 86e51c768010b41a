#pragma once
/// The report of `kindling doctor` on a photo set, and what of it is told before a training.

#include <kindling/vision/doctor.hpp>

#include "cli/photo_set.hpp"

#include <memory>
#include <string>

namespace kindling::cli {

/// The report on all files of a set that was read with `DataFlags::examine`, also on those left out.
HealthReport health_of(const PhotoSet& set, const DataFlags& flags, const CommonOptions& common,
                       const std::shared_ptr<Listener>& listener);

/// A file's name below DATA.
std::string name_below(const fs::path& root, const HealthItem& item);

/// One case in a line: "cat/1.jpg: the file is no picture: it is text", "cat/1.jpg = dog/2.jpg",
/// "'Dog', 'dog': differs in upper and lower case only …".
std::string in_a_line(const HealthCase& c, const HealthReport& report, const fs::path& root);

/// `kindling doctor` with the flags that say what DATA is.
std::string doctor_command(const DataFlags& flags);

/// A few lines on what makes a training or its figures wrong: photos in train and in valid alike or under two
/// labels, and labels written wrongly. Silent where there is nothing of it.
void tell_health(const PhotoSet& set, const DataFlags& flags, const CommonOptions& common,
                 const std::shared_ptr<Listener>& listener);

}  // namespace kindling::cli
