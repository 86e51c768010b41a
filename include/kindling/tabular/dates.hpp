#pragma once
/// Columns made of dates.

#include <kindling/data/table.hpp>

#include <optional>
#include <string>
#include <vector>

namespace kindling {

struct DatepartOptions {
  std::optional<std::string> prefix = std::nullopt;  ///< left out: the column's name without "date" or "Date" at its end
  bool drop = true;                                  ///< take the date itself away
  bool time = false;                                 ///< add Hour, Minute and Second
};

/// Year, Month, Week (ISO), Day, Dayofweek (Monday is 0), Dayofyear, Is_month_end, Is_month_start, Is_quarter_end,
/// Is_quarter_start, Is_year_end, Is_year_start [, Hour, Minute, Second] and Elapsed (seconds since 1970) of a column of
/// dates, behind `prefix` (fastai `add_datepart`). A missing date leaves its numbers missing and its truths false. Throws
/// `bad_data` naming the row of what is no date.
Table add_datepart(const Table& table, const std::string& field, const DatepartOptions& options = {});

/// For each event (a column of truth) the days since it last was (After…, 0 where it never was), the days until it will be
/// (Before…, not above 0), both within the rows of one `base_field` in the order of `date_field`; and how often it was in
/// the seven rows up to this one (…_bw) and from this one on (…_fw). (fastai `add_elapsed_times`.)
Table add_elapsed_times(const Table& table, const std::vector<std::string>& field_names, const std::string& date_field,
                        const std::string& base_field);

}  // namespace kindling
