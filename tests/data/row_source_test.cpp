#include "mts/data/row_source.hpp"

#include <limits>

#include "data/support.hpp"
#include "mts/data/pool.hpp"
#include "mts/nn/classifier.hpp"

namespace {

using namespace mts;

/// Rows (i, i + 1/2) for i below n, made when they are asked for.
class CountedRows final : public data::RowSource {
 public:
  explicit CountedRows(Index n, Index bad = -1) : n_(n), bad_(bad) {}
  Index rows() const override { return n_; }
  Index cols() const override { return 2; }
  void read(Index i, Rows<float> out) const override {
    out(0, 0) = static_cast<float>(i);
    out(0, 1) = i == bad_ ? std::numeric_limits<float>::infinity() : static_cast<float>(i) + 0.5f;
  }

 private:
  Index n_, bad_;
};

RowMatrix<float> all_of(const data::RowSource& source) {
  RowMatrix<float> all(source.rows(), source.cols()), row(1, source.cols());
  for (Index i = 0; i < source.rows(); ++i) {
    source.read(i, rows_of(row));
    all.row(i) = row;
  }
  return all;
}

data::LabelledSet set_of(std::shared_ptr<const data::RowSource> source) {
  data::LabelledSet set;
  set.inputs.resize(source->rows(), 0);
  for (Index i = 0; i < source->rows(); ++i) {
    set.labels.push_back(static_cast<int>(i % 2));
    set.attributes.push_back(0);
  }
  set.embeddings.resize(source->rows(), 0);
  set.source = std::move(source);
  return set;
}

TEST_CASE("Row sources: some rows of another, and rows behind them") {
  const auto source = std::make_shared<CountedRows>(5);
  const data::SomeRows some(source, {4, 0, 4});
  RowMatrix<float> expected(3, 2);
  expected << 4, 4.5f, 0, 0.5f, 4, 4.5f;
  CHECK(all_of(some) == expected);
  RowMatrix<float> more(1, 2);
  more << -1, -2;
  const data::ExtendedRows extended(std::make_shared<CountedRows>(2), more);
  expected << 0, 0.5f, 1, 1.5f, -1, -2;
  CHECK(all_of(extended) == expected);
  CHECK_REFUSED(ShapeError, data::SomeRows(source, {0, 5}), "[0, 5), found 5");
  CHECK_REFUSED(ShapeError, data::SomeRows(source, {-1}), "found -1");
  CHECK_REFUSED(ShapeError, data::ExtendedRows(source, RowMatrix<float>(1, 3)), "expected 2, found 3");
}

TEST_CASE("Labelled sets: some samples, from memory and from a source") {
  auto set = set_of(std::make_shared<CountedRows>(5));
  set.embeddings = RowMatrix<float>::Random(5, 3);
  set.attributes = {5, 6, 7, 8, 9};
  auto in_memory = set;
  in_memory.inputs = all_of(*set.source);
  in_memory.source = nullptr;
  const Index places[] = {4, 1, 1};
  RowMatrix<float> expected(3, 2);
  expected << 4, 4.5f, 1, 1.5f, 1, 1.5f;
  const auto some = data::subset(set, places);
  CHECK(some.inputs.cols() == 0);
  CHECK(all_of(*some.source) == expected);
  const auto same = data::subset(in_memory, places);
  CHECK(!same.source);
  CHECK(same.inputs == expected);
  for (const auto* each : {&some, &same}) {
    CHECK(each->size() == 3);
    CHECK(each->labels == std::vector<int>{0, 1, 1});
    CHECK(each->attributes == std::vector<int>{9, 6, 6});
    for (Index k = 0; k < 3; ++k) CHECK(each->embeddings.row(k) == set.embeddings.row(places[k]));
  }
  const Index outside[] = {0, 5};
  CHECK_REFUSED(ShapeError, data::subset(in_memory, outside), "subset: expected places in [0, 5), found 5");
}

TEST_CASE("Labelled sets: inputs come from a source as they do from memory") {
  const auto set = set_of(std::make_shared<CountedRows>(5));
  CHECK(set.size() == 5);
  CHECK(set.width() == 2);
  CHECK_NOTHROW(data::check(set, 2, "set"));
  nn::ClassificationBatch<float> batch;
  const Index ids[] = {3, 1};
  data::gather(set, ids, batch);
  RowMatrix<float> expected(2, 2);
  expected << 3, 3.5f, 1, 1.5f;
  CHECK(batch.inputs == expected);
  CHECK(batch.labels == std::vector<int>{1, 1});
  data::gather_range(set, 1, 3, batch);
  expected << 1, 1.5f, 2, 2.5f;
  CHECK(batch.inputs == expected);
  data::gather_all(set, batch);
  CHECK(batch.inputs.rows() == 5);
  CHECK(batch.inputs(4, 1) == 4.5f);
  const Index beyond[] = {5};
  CHECK_REFUSED(ShapeError, data::gather(set, beyond, batch), "[0, 5), found 5");
}

TEST_CASE("Labelled sets: a source of another length, and a number in it that is not finite, are named") {
  auto set = set_of(std::make_shared<CountedRows>(5));
  set.source = std::make_shared<CountedRows>(4);
  CHECK_REFUSED(ShapeError, data::check(set, 2, "set"), "set", "rows of the source", "expected 5, found 4");
  set.source = std::make_shared<CountedRows>(5, 3);
  CHECK_REFUSED(NumericalError, data::check(set, 2, "set"), "set: the input of sample 3", "at 1");
}

}  // namespace
