// Puts together what the benchmark programs wrote into a folder: bench.json, table.txt (printed as well) and
// overhead.gp, the script of the picture.
//     bench_report FOLDER
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <stdexcept>

#include "report/picture.hpp"
#include "report/tables.hpp"

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file);
  if (!(out << text) || !out.flush()) throw std::runtime_error(file.string() + " could not be written");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 2) {
    std::cerr << "bench_report FOLDER\n";
    return 2;
  }
  try {
    const std::filesystem::path folder(argv[1]);
    const Results results(folder);
    const auto promises = ratios(results);
    const std::string text = machine_lines(results) + kernel_table(results) + step_table(results) +
                             peer_table(results) + adapter_table(results) + compile_table(results) +
                             ratio_table(promises);
    nlohmann::ordered_json all;
    all["machine"] = results.machine;
    for (const auto& r : promises) {
      nlohmann::ordered_json row{{"what", r.what}, {"better", r.at_most ? "less" : "more"}, {"required", r.required}};
      row["aim"] = r.aim ? nlohmann::ordered_json(*r.aim) : nullptr;
      row["measured"] = r.measured ? nlohmann::ordered_json(*r.measured) : nullptr;
      row["verdict"] = r.verdict();
      if (!r.note.empty()) row["note"] = r.note;
      all["ratios"].push_back(row);
    }
    for (const auto& [key, value] : results.raw.items()) all[key] = value;
    write(folder / "bench.json", all.dump(1) + "\n");
    write(folder / "table.txt", text);
    if (const auto script = picture_script(results); !script.empty()) write(folder / "overhead.gp", script);
    std::cout << text;
  } catch (const std::exception& error) {
    std::cerr << "bench_report: " << error.what() << '\n';
    return 1;
  }
}
