// Arrays of another program: labels as integers, features by ranges of rows, a vector of numbers back to NumPy.
//
//     read_arrays FEATURES LABELS OUT     each a .npy; the first two may be FILE.npz:NAME too
//
// writes for every sample the squared distance of its features from the mean of its class, as OUT. The features are never
// in memory as a whole. Without arguments it makes two small files of its own first. Exit status 1, with the reason in
// words, if a file can't be read.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <mts/data/arrays.hpp>
#include <mts/data/npy.hpp>
#include <random>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Matrix = mts::RowMatrix<float>;

void squared_distances(const fs::path& features_path, const fs::path& labels_path, const fs::path& out) {
  const mts::data::ArrayFile features(features_path);  // only its header is read now
  const std::vector<int> labels = mts::data::read_integers(labels_path, 0, 9999);
  const auto n = static_cast<mts::Index>(labels.size());
  mts::check_size("read_arrays", "labels, one for each row of features", features.rows(), n);

  const int classes = labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
  Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(classes, features.cols());
  Eigen::VectorXd count = Eigen::VectorXd::Zero(classes);
  Matrix rows;
  const auto for_each_row = [&](auto&& f) {
    for (mts::Index begin = 0; begin < n; begin += 1000) {
      const mts::Index end = std::min<mts::Index>(begin + 1000, n);
      features.read_rows(begin, end, rows);  // whatever type and order the file has
      for (mts::Index i = begin; i < end; ++i)
        f(i, labels[static_cast<std::size_t>(i)], rows.row(i - begin).cast<double>());
    }
  };
  for_each_row([&](mts::Index, int label, const auto& x) {
    count[label] += 1;
    mean.row(label) += (x - mean.row(label)) / count[label];
  });
  std::vector<double> distances(labels.size());
  for_each_row([&](mts::Index i, int label, const auto& x) {
    distances[static_cast<std::size_t>(i)] = (x - mean.row(label)).squaredNorm();
  });
  mts::data::write_npy(out, distances);  // numpy.load reads it
  std::cout << n << " rows of " << features.cols() << " numbers in " << features.type().name() << ", " << classes
            << " classes: " << out.string() << "\n";
}

int main(int count, char** words) {
  try {
    if (count == 4) {
      squared_distances(words[1], words[2], words[3]);
      return 0;
    }
    const fs::path folder = fs::temp_directory_path() / ("mts-read-arrays-" + std::to_string(std::random_device()()));
    std::mt19937 stream(1);
    Matrix x(2500, 8);
    std::vector<std::int64_t> y(2500);
    for (mts::Index i = 0; i < x.rows(); ++i) {
      y[static_cast<std::size_t>(i)] = i % 3;
      for (mts::Index c = 0; c < x.cols(); ++c)
        x(i, c) = static_cast<float>(i % 3) + static_cast<float>(stream() % 1000) / 1000;
    }
    mts::data::write_npy(folder / "features.npy", x);
    mts::data::write_npy(folder / "labels.npy", y);
    squared_distances(folder / "features.npy", folder / "labels.npy", folder / "distances.npy");
    const Matrix distances = mts::data::read_matrix<float>(folder / "distances.npy");
    const float average = distances.mean();  // 8 numbers uniform in [0, 1): 8/12
    fs::remove_all(folder);
    std::cout << "average: " << average << "\n";
    return average > 0.63f && average < 0.70f ? 0 : 1;
  } catch (const mts::Error& error) {
    std::cerr << "read_arrays: " << error.what() << "\n";
    return 1;
  }
}
